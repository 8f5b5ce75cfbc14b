"""The errors of a local Kafka server; none is retriable.

KafkaServerError
├── KafkaMissing           a program is not on this machine, or too old
├── KafkaFolderBusy        another process runs a server on the folder
└── KafkaFailed            the jars could not be fetched, or the server ended or did not answer
"""

from libs.events.errors import EventError


class KafkaServerError(EventError):
    """Root of the errors of this package; each text is one line."""


class KafkaMissing(KafkaServerError):
    """Java, Maven or the named jars are not on this machine, or Java is too old."""


class KafkaFolderBusy(KafkaServerError):
    """Another process runs a server on the same folder."""


class KafkaFailed(KafkaServerError):
    """The server ended or does not answer, or a program that it needs failed."""

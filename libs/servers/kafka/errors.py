"""What can go wrong before a Kafka server of our own answers; trying again helps with none of it.

KafkaServerError
├── KafkaMissing           a program that is not on this machine, or too old
├── KafkaFolderBusy        another process runs a server on the folder
└── KafkaFailed            jars that could not be fetched, a server that ended or never answered
"""

from libs.events.errors import EventError


class KafkaServerError(EventError):
    """Root of the errors of this package; each is one line."""


class KafkaMissing(KafkaServerError):
    """Java, Maven or the jars that were named are not on this machine, or Java is too old."""


class KafkaFolderBusy(KafkaServerError):
    """Another process runs a server on the same folder."""


class KafkaFailed(KafkaServerError):
    """The server ended or does not answer, or a program it needs failed; carries its reason."""

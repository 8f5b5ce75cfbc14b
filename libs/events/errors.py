"""The errors of events and the bus.

EventError                 is_retriable  exit_status
├── PoisonMessage          no            2  a message that cannot be read, or is refused
├── RecordTooLarge         no            1  an event over the bus's size limit; nothing published
├── UnknownTopic           no            2  a topic that is not in the table
├── TopicUnfit             no            2  a topic that the cluster lacks, or other partitions
├── BusUnavailable         yes           2  the broker does not answer
├── BusRefused             no            2  the broker refuses the connection: credentials, TLS
├── BusFailed              no            1  the producer failed: restart from the last commit
├── Fenced                 no            1  another process took the fence
├── JournalBusy            no            2  another process uses the journal's folder
├── JournalDamaged         no            2  a journal that cannot be continued
└── BusClosed              no            2  publish or fetch after stop
"""

from libs.errors import AlphaStocksError


class EventError(AlphaStocksError):
    """Root of the errors of this package."""


class PoisonMessage(EventError):
    """A message that cannot be read, or that its handler refuses; the text is the reason."""


class RecordTooLarge(EventError):
    """An event over the bus's size limit: a defect of the service that made it."""

    exit_status = 1


class UnknownTopic(EventError):
    """A topic name that `topics.py` does not list."""


class TopicUnfit(EventError):
    """A topic that the cluster lacks, or that has another number of partitions there."""


class BusUnavailable(EventError):
    """No broker answers; the next try may succeed."""

    is_retriable = True


class BusRefused(EventError):
    """The broker refuses the connection, and a retry cannot help: credentials, TLS."""


class BusFailed(EventError):
    """The producer failed: the process has to restart from the last commit."""

    exit_status = 1


class Fenced(EventError):
    """Another process took the fence; the broker refuses all writes of this one."""

    exit_status = 1


class JournalBusy(EventError):
    """The journal's folder is in use by another process."""


class JournalDamaged(EventError):
    """A journal file holds something other than records, before its end."""


class BusClosed(EventError):
    """The bus or the consumer was used after it was closed."""

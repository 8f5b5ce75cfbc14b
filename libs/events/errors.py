"""What can go wrong between an event and the bus.

EventError                 is_retriable
├── PoisonMessage          no    a message that can never be read, or is refused: dead letters
├── RecordTooLarge         no    an event over the bus's size limit; nothing was published
├── UnknownTopic           no    a topic that the table does not name
├── TopicUnfit             no    a topic that the cluster lacks, or has otherwise than the table
├── BusUnavailable         yes   the broker does not answer
├── BusRefused             no    the broker answers, and will not have us (credentials, TLS)
├── BusFailed              no    what was published can not be acknowledged: begin anew
├── Fenced                 no    another process took our place
├── JournalBusy            no    another process uses the journal's folder
├── JournalDamaged         no    a journal that cannot be continued
└── BusClosed              no    publish or fetch after stop
"""


class EventError(Exception):
    """Root of the errors of this package; says itself whether trying again can help."""

    is_retriable = False


class PoisonMessage(EventError):
    """A message that can never be read, or that its handler refuses; carries the reason."""


class RecordTooLarge(EventError):
    """An event that is larger than the bus takes: a defect of the service that made it."""


class UnknownTopic(EventError):
    """A topic name that `topics.py` does not list."""


class TopicUnfit(EventError):
    """A topic of the table that the cluster lacks, or that has other partitions there."""


class BusUnavailable(EventError):
    """No broker answers; the next try may succeed."""

    is_retriable = True


class BusRefused(EventError):
    """The broker refuses us, and will refuse us again: wrong credentials, TLS that differs."""


class BusFailed(EventError):
    """The producer cannot go on: the process has to begin anew from what is committed."""


class Fenced(EventError):
    """Another process has taken our place; what we do from now on is refused by the broker."""


class JournalBusy(EventError):
    """The journal's folder is in use by another process."""


class JournalDamaged(EventError):
    """A journal file holds something other than records, before its end."""


class BusClosed(EventError):
    """The bus or the consumer was used after it was closed."""

"""What can go wrong between an event and the bus.

EventError                 is_retriable  exit_status
├── PoisonMessage          no            2  a message that can never be read, or is refused
├── RecordTooLarge         no            1  an event over the bus's size limit; nothing published
├── UnknownTopic           no            2  a topic that the table does not name
├── TopicUnfit             no            2  a topic that the cluster lacks or has otherwise
├── BusUnavailable         yes           2  the broker does not answer
├── BusRefused             no            2  the broker refuses us: credentials, TLS
├── BusFailed              no            1  what was published can not be acknowledged: begin anew
├── Fenced                 no            1  another process took the fence
├── JournalBusy            no            2  another process uses the journal's folder
├── JournalDamaged         no            2  a journal that cannot be continued
└── BusClosed              no            2  publish or fetch after stop
"""

from libs.errors import AlphaStocksError


class EventError(AlphaStocksError):
    """Root of the errors of this package; says itself whether trying again can help."""


class PoisonMessage(EventError):
    """A message that can never be read, or that its handler refuses; carries the reason."""


class RecordTooLarge(EventError):
    """An event that is larger than the bus takes: a defect of the service that made it."""

    exit_status = 1


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

    exit_status = 1


class Fenced(EventError):
    """Another process has taken our place; what we do from now on is refused by the broker."""

    exit_status = 1


class JournalBusy(EventError):
    """The journal's folder is in use by another process."""


class JournalDamaged(EventError):
    """A journal file holds something other than records, before its end."""


class BusClosed(EventError):
    """The bus or the consumer was used after it was closed."""

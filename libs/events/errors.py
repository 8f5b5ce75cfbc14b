"""What can go wrong between an event and the bus.

EventError                 is_retriable
├── PoisonMessage          no    bytes that can never be read: dead letters
├── UnknownTopic           no    a topic that the table does not name
├── JournalBusy            no    another process uses the journal's folder
├── JournalDamaged         no    a journal that cannot be continued
└── BusClosed              no    publish or fetch after stop
"""


class EventError(Exception):
    """Root of the errors of this package; says itself whether trying again can help."""

    is_retriable = False


class PoisonMessage(EventError):
    """A message that can never be decoded or handled; carries the reason."""


class UnknownTopic(EventError):
    """A topic name that `topics.py` does not list."""


class JournalBusy(EventError):
    """The journal's folder is in use by another process."""


class JournalDamaged(EventError):
    """A journal file holds something other than records, before its end."""


class BusClosed(EventError):
    """The bus or the consumer was used after it was closed."""

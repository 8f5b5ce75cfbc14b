"""Rows of Kite's books that cannot be read: each is named, counted and logged once."""

from collections.abc import Sequence

import structlog

from libs.broker.errors import ReplyUnreadable
from libs.broker.kite.mapping import Row, tag_of, text_of
from libs.broker.port.account import Unreadable


class UnreadableRows:
    """What could not be read when each book was read last, and what was ever met."""

    def __init__(self, log: structlog.typing.FilteringBoundLogger | None = None) -> None:
        self._log = log or structlog.get_logger(part="orders")
        self._current: dict[str, list[Unreadable]] = {}
        self._met: set[Unreadable] = set()

    @property
    def met(self) -> int:
        """How many different rows could not be read so far."""
        return len(self._met)

    def begin(self, what: str) -> None:
        """Begin to read a whole book of orders, trades, positions or margins."""
        self._current[what] = []

    def note(self, what: str, row: object, error: ReplyUnreadable) -> Unreadable:
        """Note a row that cannot be read."""
        found = Unreadable(
            what=what,
            broker_order_id=text_of(row, "order_id"),
            tag=tag_of(row) if isinstance(row, dict) else "",
            exchange=text_of(row, "exchange"),
            tradingsymbol=text_of(row, "tradingsymbol"),
            reason=str(error),
        )
        self._current.setdefault(what, []).append(found)
        if found not in self._met:
            self._met.add(found)
            self._log.error(
                "left out: it cannot be read",
                what=what,
                order_id=found.broker_order_id,
                tag=found.tag,
                tradingsymbol=found.tradingsymbol,
                error=found.reason,
            )
        return found

    def current(self) -> Sequence[Unreadable]:
        """Return what could not be read when each book was read last."""
        return tuple(one for rows in self._current.values() for one in rows)


def as_row(row: object, what: str) -> Row:
    """Return a row of a reply; raise ReplyUnreadable if it is none."""
    if not isinstance(row, dict):
        raise ReplyUnreadable(f"a row of Kite's {what}s is no row: {type(row).__name__}")
    return row

"""The base of all events, and deterministic ids."""

from datetime import UTC, date, datetime
from hashlib import sha1
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, Protocol, Self, TypedDict
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

Told = dict[str, str | int | float | None]
NAMESPACE = UUID("6a4f3c52-58a0-5d0e-9a63-0f2f6a1c7b11")
_NO_VERSION = ~(0xC000 << 48 | 0xF000 << 64)
_VERSION_5 = 0x8000 << 48 | 5 << 76


def identity(kind: str, *parts: object) -> UUID:
    """Return the UUIDv5 of `kind` and `parts`; equal parts always give an equal id.

    Parts are joined as JSON, so that ("a", "bc") and ("ab", "c") differ.
    """
    return Identities(kind).of(*parts)


class Identities:
    """Ids as `identity` gives them, of a kind and of first parts that are the same in all."""

    def __init__(self, kind: str, *parts: object) -> None:
        self._parts = (kind, *map(str, parts))
        self._begun = sha1(NAMESPACE.bytes, usedforsecurity=False)
        self._begun.update(f"[{', '.join(map(_quoted, self._parts))}".encode())

    def __reduce__(self) -> tuple[type[Self], tuple[str, ...]]:
        return type(self), self._parts

    def of(self, *parts: object) -> UUID:
        """Return the id with these parts at the end."""
        digest = self._begun.copy()  # uuid5 and json.dumps do the same in five times the time
        rest = "".join([f", {_quoted(str(part))}" for part in parts])
        digest.update(f"{rest}]".encode())
        made = UUID.__new__(UUID)
        value = int.from_bytes(digest.digest()[:16]) & _NO_VERSION | _VERSION_5
        made.__setstate__({"int": value})  # type: ignore[attr-defined]  # as an unpickled one
        return made


def utc_from_ms(epoch_ms: int) -> datetime:
    """Return the aware UTC time of epoch milliseconds, exact to the millisecond."""
    seconds, milliseconds = divmod(int(epoch_ms), 1000)
    at = datetime.fromtimestamp(seconds, UTC)
    return at.replace(microsecond=milliseconds * 1000) if milliseconds else at


def ms_from_utc(at: datetime) -> int:
    """Return an aware time as epoch milliseconds, rounded down."""
    return int(at.timestamp()) * 1000 + at.microsecond // 1000


_set = object.__setattr__


class Envelope(TypedDict):
    """The fields that every event has, for its constructor: `Kind(**envelope, …)`.

    A type checker sees which fields are still missing.
    """

    event_id: UUID
    occurred_at: datetime
    trading_day: date
    correlation_id: UUID
    causation_id: UUID | None


class Cause(Protocol):
    """The fields of a cause that its effects copy; every event has them."""

    @property
    def event_id(self) -> UUID: ...  # noqa: D102
    @property
    def occurred_at(self) -> datetime: ...  # noqa: D102
    @property
    def trading_day(self) -> date: ...  # noqa: D102
    @property
    def correlation_id(self) -> UUID: ...  # noqa: D102


class Event(BaseModel):
    """An immutable fact. `occurred_at` is event time (UTC), `trading_day` India's date.

    `correlation_id` stays the same from the candle to the last fill; `causation_id` is the id of
    the direct cause. Unknown fields, which a newer writer added, are ignored.
    """

    # JSON has no nan: unknown values are None, and a nan is refused at construction.
    model_config = ConfigDict(
        frozen=True, extra="ignore", arbitrary_types_allowed=True, allow_inf_nan=False
    )

    type: str
    event_id: UUID
    occurred_at: AwareDatetime
    trading_day: date
    correlation_id: UUID
    causation_id: UUID | None = None

    @classmethod
    def after(
        cls,
        cause: Cause,
        *id_parts: object,
        occurred_at: datetime | None = None,
        trading_day: date | None = None,
        correlation_id: UUID | None = None,
    ) -> Envelope:
        """Return the envelope of an event of this kind caused by `cause`.

        Its id is `identity(kind, *id_parts)`. Time, trading day and correlation id default to
        the cause's.
        """
        return Envelope(
            event_id=identity(cls.__name__, *id_parts),
            occurred_at=occurred_at or cause.occurred_at,
            trading_day=trading_day or cause.trading_day,
            correlation_id=correlation_id or cause.correlation_id,
            causation_id=cause.event_id,
        )

    @classmethod
    def without_cause(cls, *id_parts: object, occurred_at: datetime, trading_day: date) -> Envelope:
        """Return the envelope of an event without a cause, with a new correlation id."""
        event_id = identity(cls.__name__, *id_parts)
        return Envelope(
            event_id=event_id,
            occurred_at=occurred_at,
            trading_day=trading_day,
            correlation_id=event_id,
            causation_id=None,
        )

    @classmethod
    def unchecked(cls, fields: dict[str, Any]) -> Self:
        """Return an event of all its fields, which must be of their types and in their order.

        As the constructor would, in a fifth of its time; the event keeps the dictionary.
        """
        made = cls.__new__(cls)
        _set(made, "__dict__", fields)
        _set(made, "__pydantic_fields_set__", set(fields))
        _set(made, "__pydantic_extra__", None)
        _set(made, "__pydantic_private__", None)
        return made

    def told(self) -> Told:
        """Return the fields that a log says of it: a few figures and words, no secrets."""
        return {}

    @property
    def occurred_ms(self) -> int:
        """Event time in epoch milliseconds."""
        return ms_from_utc(self.occurred_at)

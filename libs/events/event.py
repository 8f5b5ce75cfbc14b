"""The base of all events, and deterministic ids."""

from datetime import UTC, date, datetime
from hashlib import sha1
from json.encoder import encode_basestring_ascii
from typing import Any, Protocol, Self, TypedDict
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

Told = dict[str, str | int | float | None]
NAMESPACE = UUID("6a4f3c52-58a0-5d0e-9a63-0f2f6a1c7b11")
_OF_NAMESPACE = sha1(NAMESPACE.bytes, usedforsecurity=False)


def identity(kind: str, *parts: object) -> UUID:
    """Return the UUIDv5 of `kind` and `parts`; equal parts always give an equal id.

    Parts are joined as JSON, so that ("a", "bc") and ("ab", "c") differ.
    """
    text = f"[{', '.join(map(encode_basestring_ascii, (kind, *map(str, parts))))}]"
    digest = _OF_NAMESPACE.copy()  # uuid5 and json.dumps do the same in five times the time
    digest.update(text.encode())
    return UUID(bytes=digest.digest()[:16], version=5)


def utc_from_ms(epoch_ms: int) -> datetime:
    """Return the aware UTC time of epoch milliseconds, exact to the millisecond."""
    seconds, milliseconds = divmod(int(epoch_ms), 1000)
    at = datetime.fromtimestamp(seconds, UTC)
    return at.replace(microsecond=milliseconds * 1000) if milliseconds else at


def ms_from_utc(at: datetime) -> int:
    """Return an aware time as epoch milliseconds, rounded down."""
    return int(at.timestamp()) * 1000 + at.microsecond // 1000


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
        for name, value in (("__dict__", fields), ("__pydantic_fields_set__", set(fields))):
            object.__setattr__(made, name, value)
        for name in ("__pydantic_extra__", "__pydantic_private__"):
            object.__setattr__(made, name, None)
        return made

    def told(self) -> Told:
        """Return the fields that a log says of it: a few figures and words, no secrets."""
        return {}

    @property
    def occurred_ms(self) -> int:
        """Event time in epoch milliseconds."""
        return ms_from_utc(self.occurred_at)

"""The kinds of faults, each with its own fields.

Fault
├── RequestFault   lose_reply, lose_request, hang, delay, status, token, limit, html
├── UpdateFault    repeat_update, delay_update, lose_update
├── UpgradeFault   refuse
├── SocketFault    silence, close, garbage, lag, freeze, reorder
├── RowFault       hide_rows, spoil_rows
├── OrderFault     reject_order, cancel_order, late_fill
├── PlacingFault   refuse_slice, early_update
├── AccountFault   trade_by_hand, cancel_by_hand, square_off, set_funds, trade_ids, end_session
└── MarketFault    jump, halt
"""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, TypeAdapter, ValidationError

from services.simulator.domain.errors import InputError
from services.simulator.domain.faults.account_kinds import AccountFault
from services.simulator.domain.faults.base import AnyFault, Counted, Seconds, Side
from services.simulator.domain.faults.order_kinds import AnyOrderFault, PlacingFault
from services.simulator.domain.faults.row_kinds import AnyRowFault


class RequestFault(Counted):
    """Hits HTTP requests of a method (default: any) whose path begins with `path`."""

    method: Literal["", "GET", "POST", "PUT", "DELETE"] = ""
    path: str = Field("/", pattern="^/")

    def matches(self, method: str, path: str) -> bool:
        """Whether it hits such a request."""
        return self.method in ("", method) and path.startswith(self.path)


class LoseReply(RequestFault):
    """Carry the request out, then close the connection without an answer."""

    kind: Literal["lose_reply"]


class LoseRequest(RequestFault):
    """Close the connection before the request is carried out."""

    kind: Literal["lose_request"]


class Hang(RequestFault):
    """Never answer, and close the connection after so many seconds; nothing is carried out."""

    kind: Literal["hang"]
    seconds: Seconds = 30.0


class Delay(RequestFault):
    """Wait before the request is carried out, or with its answer."""

    kind: Literal["delay"]
    seconds: Seconds
    when: Side = "before"


class Status(RequestFault):
    """Answer with an error status, before the request is carried out or after it."""

    kind: Literal["status"]
    status: Literal[500, 502, 503, 504]
    when: Side = "before"


class Token(RequestFault):
    """Refuse the session."""

    kind: Literal["token"]


class Limit(RequestFault):
    """Refuse as if there had been too many requests."""

    kind: Literal["limit"]


class Html(RequestFault):
    """Answer with a web page, before the request is carried out or after it."""

    kind: Literal["html"]
    status: Literal[200, 502] = 502
    when: Side = "before"


class RepeatUpdate(Counted):
    """Send an order update `copies` times in all."""

    kind: Literal["repeat_update"]
    copies: int = Field(2, ge=2, le=100)


class DelayUpdate(Counted):
    """Send an order update `seconds` later, by the market's clock or the wall clock."""

    kind: Literal["delay_update"]
    seconds: Seconds
    clock: Literal["market", "wall"] = "market"


class LoseUpdate(Counted):
    """Never send an order update."""

    kind: Literal["lose_update"]


class Refuse(Counted):
    """Refuse websocket connections with a status."""

    kind: Literal["refuse"]
    status: int = Field(503, ge=400, le=599)


class SocketFault(AnyFault):
    """Hits one websocket connection by its number, or all that are open."""

    connection: int | None = Field(None, ge=1)


class Silence(SocketFault):
    """Send nothing for so many seconds; the connection stays open.

    Of `what`: all, or ticks alone, while heartbeats and order updates go on.
    """

    kind: Literal["silence"]
    seconds: Seconds
    what: Literal["all", "ticks"] = "all"


class Lag(SocketFault):
    """Send ticks so many seconds late, as long as it `lasts`; heartbeats are on time."""

    kind: Literal["lag"]
    seconds: Seconds
    lasts: Seconds = 86_400.0


class Freeze(SocketFault):
    """Send the last ticks again and again for so many seconds."""

    kind: Literal["freeze"]
    seconds: Seconds


class Reorder(SocketFault):
    """Send a second's ticks after those of the next one, so many times."""

    kind: Literal["reorder"]
    times: int = Field(1, ge=1)


class Close(SocketFault):
    """Break the connection without a closing handshake."""

    kind: Literal["close"]


class Garbage(SocketFault):
    """Send a frame with a wrong count, cut off, with an unknown length, or of random bytes."""

    kind: Literal["garbage"]
    what: Literal["count", "cut", "length", "random"] = "random"


class Jump(AnyFault):
    """Multiply the price of an underlying from the next second on."""

    kind: Literal["jump"]
    tradingsymbol: str
    factor: float = Field(gt=0, allow_inf_nan=False)


class Halt(AnyFault):
    """Stop the trading of an exchange, an instrument (`NSE:INFY`) or everything for a while."""

    kind: Literal["halt"]
    scope: str | None = None
    seconds: Seconds


AnyRequestFault = LoseReply | LoseRequest | Hang | Delay | Status | Token | Limit | Html
UpdateFault = RepeatUpdate | DelayUpdate | LoseUpdate
AnySocketFault = Silence | Close | Garbage | Lag | Freeze | Reorder
MarketFault = Jump | Halt
CountedFault = AnyRequestFault | UpdateFault | Refuse | AnyRowFault | AnyOrderFault | PlacingFault
Fault = CountedFault | AnySocketFault | MarketFault | AccountFault

KINDS = tuple(get_args(kind.model_fields["kind"].annotation)[0] for kind in get_args(Fault))
"""Names of all kinds of faults."""


@cache
def _adapter() -> TypeAdapter[Fault]:
    return TypeAdapter(Annotated[Fault, Field(discriminator="kind")])


def read_fault(fields: Mapping[str, Any]) -> Fault:
    """Return the fault that the fields describe; raises InputError naming the field in one line."""
    try:
        return _adapter().validate_python(dict(fields))
    except ValidationError as error:
        raise InputError(_reason(error, fields.get("kind"))) from None


def _reason(error: ValidationError, kind: object) -> str:
    if kind not in KINDS:
        return f"kind: {kind!r} is none of {', '.join(KINDS)}"
    first = error.errors(include_url=False, include_input=False)[0]
    path = ".".join(str(part) for part in first["loc"][1:])
    reason = "unknown field" if first["type"] == "extra_forbidden" else first["msg"]
    return f"{kind}: {path}: {reason}"

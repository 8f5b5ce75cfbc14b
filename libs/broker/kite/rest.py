"""Kite's REST calls for asyncio: the official client in threads, with own errors and limits."""

import asyncio
import threading
import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, TypeVar

import requests
from kiteconnect import KiteConnect
from kiteconnect.exceptions import DataException, KiteException

from libs.broker.errors import (
    BrokerError,
    BrokerUnavailable,
    DumpRefused,
    ReplyUnreadable,
    RequestRefused,
    SessionExpired,
)
from libs.broker.kite.address import KiteAddress
from libs.broker.kite.budget import Budget
from libs.broker.kite.lanes import ORDERING_THREADS, Lane
from libs.broker.kite.leaving import LeavingAdapter, MayLeave, passage
from libs.broker.kite.limits import REQUEST_CLASSES, KiteLimits, RequestClass, load_limits
from libs.broker.kite.replies import (
    LOG_IN,
    Placed,
    error_of,
    login_refusal,
    named_error,
    placed_of,
)
from libs.broker.kite.session import KiteSession
from libs.broker.kite.splitting import portions, spans
from libs.broker.port.orders import MaySend, always
from libs.market.calendar import IST
from libs.market.dump import Dump, DumpError, read_dump

T = TypeVar("T")
READ_CLASSES: tuple[RequestClass, ...] = ("quote", "historical", "other")
Reply = dict[str, Any]
Note = Callable[[RequestClass, str, float], None]
"""Called in a request's thread with its class, `ok` or the error's name, and its seconds."""


class _Client(KiteConnect):  # type: ignore[misc]  # the official client has no types
    """The official client, with exact tick sizes and errors for unreadable replies."""

    def __init__(self, address: KiteAddress, cool_down_ms: int) -> None:
        super().__init__(address.api_key, root=address.root, timeout=address.timeout_seconds)
        self._cool_down_ms = cool_down_ms
        self.reqsession.trust_env = not address.is_local
        for scheme in ("http://", "https://"):
            self.reqsession.mount(scheme, LeavingAdapter())
        self.reqsession.hooks["response"].append(self._judge)

    def _judge(self, response: requests.Response, *_: object, **__: object) -> None:
        """Raise the error of a reply, while its status is available."""
        content_type = response.headers.setdefault("content-type", "")
        error = error_of(response.status_code, content_type, response.content, self._cool_down_ms)
        if error is not None:
            raise error

    def place_order(self, variety: str, **fields: Any) -> Placed:
        """Place an order; the official client drops the slices of the reply."""
        sent = {"variety": variety, **fields}
        return placed_of(self._post("order.place", url_args={"variety": variety}, params=sent))

    def _format_response(self, data: Any) -> Any:
        """Leave times as text: one that cannot be read must not spoil the rows beside it."""
        return data

    def _parse_instruments(self, data: bytes) -> Dump:
        try:
            return read_dump(data, "Kite's instruments")
        except DumpError as error:
            raise DumpRefused(str(error)) from None


class _ClientPerThread:
    """Gives each thread its own client, because connections cannot be shared."""

    def __init__(self, address: KiteAddress, cool_down_ms: int) -> None:
        self._make = partial(_Client, address, cool_down_ms)
        self._of_thread = threading.local()
        self._all: list[_Client] = []

    def __call__(self) -> _Client:
        client: _Client | None = getattr(self._of_thread, "client", None)
        if client is None:
            client = self._of_thread.client = self._make()
            self._all.append(client)
        return client

    def close(self) -> None:
        for client in self._all:
            client.reqsession.close()


class KiteRest:
    """One account's requests; errors are those of `libs.broker.errors`.

    Orders never wait for reads. They have two lanes: urgent ones (exits, stops, and each
    modification and cancellation) never wait for the others, to which a share of the rates is
    closed. There are no retries here. A token that Kite has refused is not sent again: requests
    raise SessionExpired until `session` returns another one.
    """

    def __init__(
        self,
        address: KiteAddress,
        session: Callable[[], KiteSession],
        limits: KiteLimits,
        note: Note | None = None,
    ) -> None:
        self._note = note
        self._session = session
        self._limits = limits
        self._clients = _ClientPerThread(address, limits.cool_down_ms)
        self._budgets = {name: Budget(limits, name) for name in REQUEST_CLASSES}
        self._lanes = {name: Lane(name, self._budgets[name]) for name in READ_CLASSES}
        ordering = self._budgets["orders"]
        self._urgent = Lane("urgent", ordering, ORDERING_THREADS)
        self._entries = Lane("orders", ordering, ORDERING_THREADS, first=self._urgent)
        self._refused_token = ""

    async def profile(self) -> Reply:
        """Return the user's profile."""
        return await self._call("other", lambda kite: _mapping(kite.profile()))

    async def instruments(self, exchange: str | None = None) -> Dump:
        """Return what is listed today, on one exchange or on all; DumpRefused if it is no list."""
        return await self._call("other", lambda kite: _dump(kite.instruments(exchange)))

    async def quote(self, keys: Collection[str]) -> dict[str, Reply]:
        """Return quotes with depth by `EXCHANGE:SYMBOL`; unknown keys are left out."""
        return await self._portions("quote", keys)

    async def ohlc(self, keys: Collection[str]) -> dict[str, Reply]:
        """Return last price and the day's open, high, low, close by `EXCHANGE:SYMBOL`."""
        return await self._portions("ohlc", keys)

    async def ltp(self, keys: Collection[str]) -> dict[str, Reply]:
        """Return last prices by `EXCHANGE:SYMBOL`."""
        return await self._portions("ltp", keys)

    async def _portions(self, name: str, keys: Collection[str]) -> dict[str, Reply]:
        found: dict[str, Reply] = {}
        for portion in portions(keys, self._limits.instruments_a_call[name]):
            found |= await self._call("quote", partial(_quotes, name, portion))
        return found

    async def historical(
        self,
        instrument_token: int,
        interval: str,
        from_at: datetime,
        to_at: datetime,
        oi: bool = False,
    ) -> list[Reply]:
        """Return candles from `from_at` to `to_at`, both included, in as many calls as it takes.

        Raises ValueError for times without a zone, or an interval that Kite does not have.
        """
        if interval not in self._limits.history_days:
            raise ValueError(f"Kite has no interval {interval!r}")
        candles: list[Reply] = []
        for span in spans(from_at, to_at, self._limits.history_days[interval]):
            first, last = (at.astimezone(IST).replace(tzinfo=None) for at in span)
            ask = partial(_candles, instrument_token, interval, first, last, oi)
            candles += await self._call("historical", ask)
        return candles

    async def orders(self) -> list[Reply]:
        """Return the day's order book, as Kite gives it."""
        return await self._call("other", lambda kite: _list(kite.orders()))

    async def trades(self) -> list[Reply]:
        """Return the day's trades, as Kite gives them."""
        return await self._call("other", lambda kite: _list(kite.trades()))

    async def order_trades(self, order_id: str) -> list[Reply]:
        """Return the trades of an order."""
        return await self._call("other", lambda kite: _list(kite.order_trades(order_id)))

    async def order_history(self, order_id: str) -> list[Reply]:
        """Return the states an order went through, oldest first."""
        return await self._call("other", lambda kite: _list(kite.order_history(order_id)))

    async def positions(self) -> Reply:
        """Return net and day positions."""
        return await self._call("other", lambda kite: _mapping(kite.positions()))

    async def margins(self) -> Reply:
        """Return funds by segment."""
        return await self._call("other", lambda kite: _mapping(kite.margins()))

    async def order_margins(self, **fields: Any) -> list[Reply]:
        """Return the margins that an order needs, by Kite's calculator."""
        return await self._call("other", lambda kite: _list(kite.order_margins([fields])))

    async def place_order(
        self, may_send: MaySend = always, *, is_urgent: bool = False, **fields: Any
    ) -> Placed:
        """Place an order with Kite's fields and return its order id; it is not filled yet.

        `may_send` is asked while the request waits, and once more when its connection is open, in
        the moment before it leaves: then OrderNotSent if it says no, before that RateLimited.
        """
        lane = self._urgent if is_urgent else self._entries
        return await self._order(lane, lambda kite: _placed(kite, fields), may_send)

    async def modify_order(self, may_send: MaySend = always, **fields: Any) -> str:
        """Modify an order that is still open and return its order id."""
        return await self._order(
            self._urgent, lambda kite: _order_id(kite.modify_order(**fields)), may_send
        )

    async def cancel_order(self, order_id: str, variety: str = "regular") -> str:
        """Request a cancellation and return the order id; the order book shows the result."""
        return await self._order(
            self._urgent, lambda kite: _order_id(kite.cancel_order(variety, order_id))
        )

    @property
    def limits(self) -> KiteLimits:
        """What Kite allows."""
        return self._limits

    def begin_day(self) -> None:
        """Count the day's orders anew."""
        self._budgets["orders"].begin_day()

    def count_day(self, used: int) -> None:
        """Note that the account has used at least so many order requests today."""
        self._budgets["orders"].count_day(used)

    def note_order(self, age_ms: int) -> None:
        """Count an order request that somebody else sent `age_ms` milliseconds ago."""
        now_ms = _now_ms()
        self._budgets["orders"].note(now_ms - age_ms, now_ms)

    def left(self, request_class: RequestClass) -> dict[int, int]:
        """Return how many requests of a class are left by the span of each rate, in ms."""
        return self._budgets[request_class].left(_now_ms())

    def session(self) -> KiteSession:
        """Return the session of this moment; raise SessionError if there is none that holds."""
        return self._usable_session()

    async def close(self) -> None:
        """Wait for open requests, and close all connections."""
        for lane in (*self._lanes.values(), self._entries, self._urgent):
            await lane.close()
        self._clients.close()

    async def _call(self, request_class: RequestClass, ask: Callable[[KiteConnect], T]) -> T:
        self._usable_session()
        timed = partial(self._timed, request_class, ask)
        return await self._lanes[request_class].run(timed)

    async def _order(
        self, lane: Lane, ask: Callable[[KiteConnect], T], may_send: MaySend = always
    ) -> T:
        self._usable_session()
        return await lane.run(partial(self._timed, "orders", ask), may_send)

    def _timed(
        self, request_class: RequestClass, ask: Callable[[KiteConnect], T], may_leave: MayLeave
    ) -> T:
        started, outcome = time.perf_counter(), "ok"
        try:
            return self._ask(ask, may_leave)
        except BrokerError as error:
            outcome = type(error).__name__
            raise
        finally:
            if self._note is not None:
                self._note(request_class, outcome, time.perf_counter() - started)

    def _usable_session(self) -> KiteSession:
        session = self._session()
        if session.access_token == self._refused_token:
            raise SessionExpired("Kite refused this session before: run `alphastocks login`")
        return session

    def _ask(self, ask: Callable[[KiteConnect], T], may_leave: MayLeave) -> T:
        """Send the request in this thread, with the session of this moment."""
        session = self._usable_session()
        kite = self._clients()
        kite.set_access_token(session.access_token)
        try:
            return _translated(partial(ask, kite), may_leave)
        except SessionExpired:
            self._refused_token = session.access_token
            raise


def _now_ms() -> int:
    return int(asyncio.get_running_loop().time() * 1_000)


def _at_any_time() -> None:
    """Keep no request back."""


def _translated(call: Callable[[], T], may_leave: MayLeave = _at_any_time) -> T:
    """Return what the call returns; convert every error to a BrokerError.

    Causes are dropped, because those of unreadable replies contain the reply.
    """
    with passage(may_leave) as way:
        try:
            return _named(call)
        except requests.RequestException as error:
            raise BrokerUnavailable(
                f"Kite does not answer ({type(error).__name__})", way.has_left
            ) from None


def _named(call: Callable[[], T]) -> T:
    """Return what the call returns; convert every error but those of the connection."""
    try:
        return call()
    except (BrokerError, requests.RequestException):
        raise
    except DataException:
        raise ReplyUnreadable("Kite's reply cannot be read") from None
    except KiteException as error:
        named = named_error(error.code, type(error).__name__, str(error))
        raise (named or ReplyUnreadable(f"Kite's reply: {type(error).__name__}")) from None
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        reason = f"Kite's reply lacks what it should have ({type(error).__name__})"
        raise ReplyUnreadable(reason) from None


def _mapping(reply: object) -> Reply:
    if not isinstance(reply, dict):
        raise TypeError("not a mapping")
    return reply


def _list(reply: object) -> list[Any]:
    if not isinstance(reply, list):
        raise TypeError("not a list")
    return reply


def _dump(reply: object) -> Dump:
    if not isinstance(reply, Dump):
        raise TypeError("not a dump")
    return reply


def _order_id(reply: object) -> str:
    if not reply or not isinstance(reply, str | int):
        raise TypeError("not an order id")
    return str(reply)


def _placed(kite: KiteConnect, fields: Mapping[str, Any]) -> Placed:
    placed: Placed = kite.place_order(**fields)
    return placed


def _quotes(name: str, keys: list[str], kite: KiteConnect) -> dict[str, Reply]:
    return _mapping(getattr(kite, name)(*keys))


def _candles(
    token: int, interval: str, first: datetime, last: datetime, oi: bool, kite: KiteConnect
) -> list[Reply]:
    return _list(kite.historical_data(token, first, last, interval, oi=oi))


async def open_session(address: KiteAddress, request_token: str, api_secret: str) -> KiteSession:
    """Exchange the one-time token of the login page for the day's session."""
    client = _Client(address, load_limits(date.max).cool_down_ms)

    def exchange() -> KiteSession:
        return _session_of(client.generate_session(request_token, api_secret))

    try:
        return await asyncio.to_thread(_translated, exchange)
    except (SessionExpired, RequestRefused) as refused:
        said = str(refused).removesuffix(f": {LOG_IN}")
        raise login_refusal(said, address.api_key) from None
    except BrokerUnavailable as away:
        reason = f"{away}: check the network, or kite.root: {address.root}"
        raise BrokerUnavailable(reason, away.was_sent) from None
    finally:
        client.reqsession.close()


async def end_session(address: KiteAddress, session: KiteSession) -> None:
    """Log out: whoever uses the session can do nothing more. Raises BrokerError."""
    client = _Client(address, load_limits(date.max).cool_down_ms)
    client.set_access_token(session.access_token)
    try:
        await asyncio.to_thread(_translated, client.invalidate_access_token)
    finally:
        client.reqsession.close()


def _session_of(reply: Mapping[str, Any]) -> KiteSession:
    login = reply["login_time"]
    if not isinstance(login, datetime):
        login = datetime.fromisoformat(login)
    if login.tzinfo is None:
        login = login.replace(tzinfo=IST)
    return KiteSession(
        user_id=str(reply["user_id"]),
        api_key=str(reply["api_key"]),
        access_token=str(reply["access_token"]),
        login_time=login.astimezone(UTC),
    )

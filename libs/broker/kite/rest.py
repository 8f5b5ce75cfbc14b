"""Kite's REST calls for asyncio: the official client in threads, with own errors and limits."""

import asyncio
import io
import threading
import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, TypeVar

import requests
from kiteconnect import KiteConnect
from kiteconnect.exceptions import DataException, KiteException
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

from libs.broker.errors import (
    BrokerError,
    BrokerUnavailable,
    OrderNotSent,
    ReplyUnreadable,
    RequestRefused,
    SessionExpired,
)
from libs.broker.kite.address import KiteAddress
from libs.broker.kite.lanes import Lane
from libs.broker.kite.limits import REQUEST_CLASSES, KiteLimits, RequestClass, load_limits
from libs.broker.kite.replies import LOG_IN, error_of, login_refusal, named_error
from libs.broker.kite.session import KiteSession
from libs.broker.kite.splitting import portions, spans
from libs.broker.port.orders import MaySend, always
from libs.market.calendar import IST
from libs.market.instruments import Instrument, parse_dump

T = TypeVar("T")
Reply = dict[str, Any]
Note = Callable[[RequestClass, str, float], None]
"""Called in a request's thread with its class, `ok` or the error's name, and its seconds."""

_NEVER_SENT = (ConnectTimeoutError, NewConnectionError)


class _Client(KiteConnect):  # type: ignore[misc]  # the official client has no types
    """The official client, with exact tick sizes and errors for unreadable replies."""

    def __init__(self, address: KiteAddress, cool_down_ms: int) -> None:
        super().__init__(address.api_key, root=address.root, timeout=address.timeout_seconds)
        self._cool_down_ms = cool_down_ms
        self.reqsession.trust_env = not address.is_local
        self.reqsession.hooks["response"].append(self._judge)

    def _judge(self, response: requests.Response, *_: object, **__: object) -> None:
        """Raise the error of a reply, while its status is available."""
        content_type = response.headers.setdefault("content-type", "")
        error = error_of(response.status_code, content_type, response.content, self._cool_down_ms)
        if error is not None:
            raise error

    def _parse_instruments(self, data: bytes) -> list[Instrument]:
        return parse_dump(io.StringIO(data.decode("utf-8")), "Kite's instruments")


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

    Order requests have a lane of their own and never wait for reads. There are no retries here. A
    token that Kite has refused is not sent again: requests raise SessionExpired until `session`
    returns another one.
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
        self._lanes = {name: Lane(name, limits) for name in REQUEST_CLASSES}
        self._refused_token = ""

    async def profile(self) -> Reply:
        """Return the user's profile."""
        return await self._call("other", lambda kite: _mapping(kite.profile()))

    async def instruments(self, exchange: str | None = None) -> list[Instrument]:
        """Return what is listed today, on one exchange or on all."""
        return await self._call("other", lambda kite: _list(kite.instruments(exchange)))

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

    async def place_order(self, may_send: MaySend = always, **fields: Any) -> str:
        """Place an order with Kite's fields and return its order id; it is not filled yet.

        `may_send` is asked in the moment before the request leaves; OrderNotSent if it says no.
        """

        def place(kite: KiteConnect) -> str:
            if not may_send():
                raise OrderNotSent("the order waited too long before it could be sent")
            return _order_id(kite.place_order(**fields))

        return await self._call("orders", place)

    async def modify_order(self, **fields: Any) -> str:
        """Modify an order that is still open and return its order id."""
        return await self._call("orders", lambda kite: _order_id(kite.modify_order(**fields)))

    async def cancel_order(self, order_id: str, variety: str = "regular") -> str:
        """Request a cancellation and return the order id; the order book shows the result."""
        return await self._call(
            "orders", lambda kite: _order_id(kite.cancel_order(variety, order_id))
        )

    def left(self, request_class: RequestClass) -> dict[int, int]:
        """Return how many requests of a class are left by the span of each rate, in ms."""
        return self._lanes[request_class].left()

    async def close(self) -> None:
        """Wait for open requests, and close all connections."""
        for lane in self._lanes.values():
            await lane.close()
        self._clients.close()

    async def _call(self, request_class: RequestClass, ask: Callable[[KiteConnect], T]) -> T:
        self._usable_session()
        return await self._lanes[request_class].run(partial(self._timed, request_class, ask))

    def _timed(self, request_class: RequestClass, ask: Callable[[KiteConnect], T]) -> T:
        started, outcome = time.perf_counter(), "ok"
        try:
            return self._ask(ask)
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

    def _ask(self, ask: Callable[[KiteConnect], T]) -> T:
        """Send the request in this thread, with the session of this moment."""
        session = self._usable_session()
        kite = self._clients()
        kite.set_access_token(session.access_token)
        try:
            return _translated(partial(ask, kite))
        except SessionExpired:
            self._refused_token = session.access_token
            raise


def _translated(call: Callable[[], T]) -> T:
    """Return what the call returns; convert every error to a BrokerError.

    Causes are dropped, because those of unreadable replies contain the reply.
    """
    try:
        return call()
    except BrokerError:
        raise
    except DataException:
        raise ReplyUnreadable("Kite's reply cannot be read") from None
    except KiteException as error:
        named = named_error(error.code, type(error).__name__, str(error))
        raise (named or ReplyUnreadable(f"Kite's reply: {type(error).__name__}")) from None
    except requests.RequestException as error:
        raise _unavailable(error) from None
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        reason = f"Kite's reply lacks what it should have ({type(error).__name__})"
        raise ReplyUnreadable(reason) from None


def _unavailable(error: requests.RequestException) -> BrokerUnavailable:
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    was_sent = not isinstance(reason, _NEVER_SENT)
    kind = type(error).__name__
    return BrokerUnavailable(f"Kite does not answer ({kind})", was_sent)


def _mapping(reply: object) -> Reply:
    if not isinstance(reply, dict):
        raise TypeError("not a mapping")
    return reply


def _list(reply: object) -> list[Any]:
    if not isinstance(reply, list):
        raise TypeError("not a list")
    return reply


def _order_id(reply: object) -> str:
    if not reply or not isinstance(reply, str | int):
        raise TypeError("not an order id")
    return str(reply)


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

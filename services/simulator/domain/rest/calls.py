"""Kite's REST interface as functions: a request and the exchange → the `data` of the reply.

Mutual funds, auctions, alerts and GTT are not there; neither are futures, currencies and
commodities. Each answer may raise a KiteError. Sessions are opened in `login`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from libs.market.calendar import IST
from services.simulator.domain.account.profile import profile
from services.simulator.domain.errors import InputError
from services.simulator.domain.exchange import Exchange


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks: parts of the path, the query's and the body's fields, or its JSON."""

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    keys: Sequence[str] = ()
    form: Mapping[str, str] = field(default_factory=dict)
    json: Any = None

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a yes or no of the query."""
        return self.query.get(name, str(default)).lower() in ("1", "true")

    def orders(self) -> list[Mapping[str, Any]]:
        """Return the orders in the JSON body; raises InputError."""
        if not isinstance(self.json, list) or not all(isinstance(one, dict) for one in self.json):
            raise InputError("Invalid request: the body must be a JSON list of orders.")
        return self.json


Answer = Callable[[Exchange, Request], Any]


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path with `{parts}`; `changes` says that the account may differ after it."""

    method: str
    path: str
    answer: Answer
    changes: bool = False


def _user(exchange: Exchange, _: Request) -> Any:
    return profile(exchange.logins.app.user_id)


def _funds(exchange: Exchange, request: Request) -> Any:
    return exchange.account.margins(request.path.get("segment"))


def _place(exchange: Exchange, request: Request) -> Any:
    return exchange.account.place(request.path["variety"], request.form, exchange.now_ms)


def _modify(exchange: Exchange, request: Request) -> Any:
    variety, order_id = request.path["variety"], request.path["order_id"]
    return exchange.account.modify(variety, order_id, request.form, exchange.now_ms)


def _cancel(exchange: Exchange, request: Request) -> Any:
    return exchange.account.cancel(
        request.path["variety"], request.path["order_id"], exchange.now_ms
    )


def _orders(exchange: Exchange, _: Request) -> Any:
    return exchange.account.orders()


def _order_history(exchange: Exchange, request: Request) -> Any:
    return exchange.account.order_history(request.path["order_id"])


def _trades(exchange: Exchange, _: Request) -> Any:
    return exchange.account.trades()


def _order_trades(exchange: Exchange, request: Request) -> Any:
    return exchange.account.order_trades(request.path["order_id"])


def _positions(exchange: Exchange, _: Request) -> Any:
    return exchange.account.positions()


def _convert(exchange: Exchange, request: Request) -> Any:
    return exchange.account.convert(request.form)


def _holdings(exchange: Exchange, _: Request) -> Any:
    return exchange.account.holdings()


def _order_margins(exchange: Exchange, request: Request) -> Any:
    return exchange.account.order_margins(request.orders())


def _basket_margins(exchange: Exchange, request: Request) -> Any:
    considered = request.flag("consider_positions", default=True)
    reply = exchange.account.basket_margins(request.orders(), considered)
    return reply | {"orders": []} if request.query.get("mode") == "compact" else reply


def _contract_note(exchange: Exchange, request: Request) -> Any:
    return exchange.account.contract_note(request.orders())


def _quotes(exchange: Exchange, request: Request) -> Any:
    return exchange.board.quotes(_keys(exchange, request, "quote"))


def _ohlc(exchange: Exchange, request: Request) -> Any:
    return exchange.board.ohlc(_keys(exchange, request, "ohlc"))


def _ltp(exchange: Exchange, request: Request) -> Any:
    return exchange.board.ltp(_keys(exchange, request, "ltp"))


def _keys(exchange: Exchange, request: Request, name: str) -> Sequence[str]:
    most = exchange.limits.instruments_a_call[name]
    if len(request.keys) > most:
        raise InputError(f"Maximum {most} instruments can be asked for in a call.")
    return request.keys


def _trigger_range(exchange: Exchange, request: Request) -> Any:
    """Prices between which a trigger may be: on the losing side of the last price."""
    is_buy = request.path["transaction_type"].upper() == "BUY"
    replies = {}
    for key, quote in exchange.board.quotes(request.keys).items():
        last, lowest = quote["last_price"], quote["lower_circuit_limit"]
        highest = quote["upper_circuit_limit"]
        lower, upper = (lowest, last) if is_buy else (last, highest)
        token = quote["instrument_token"]
        replies[key] = {"instrument_token": token, "lower": lower, "upper": upper}
    return replies


def _instruments(exchange: Exchange, request: Request) -> Any:
    return exchange.board.instruments_csv(request.path.get("exchange"))


def _historical(exchange: Exchange, request: Request) -> Any:
    return exchange.board.historical(
        _token(request.path["instrument_token"]),
        request.path["interval"],
        _time(request.query, "from"),
        _time(request.query, "to"),
        oi=request.flag("oi"),
        continuous=request.flag("continuous"),
        span_days=exchange.limits.history_days,
    )


def _token(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise InputError("invalid token")
    return int(text)


def _time(query: Mapping[str, str], name: str) -> int:
    """Epoch ms of a time in India such as `2026-06-10 09:15:00`."""
    try:
        at = datetime.fromisoformat(query.get(name, ""))
    except ValueError:
        raise InputError(f"invalid {name} date") from None
    return round((at if at.tzinfo else at.replace(tzinfo=IST)).timestamp() * 1000)


ROUTES = (
    Route("GET", "/user/profile", _user),
    Route("GET", "/user/margins", _funds),
    Route("GET", "/user/margins/{segment}", _funds),
    Route("GET", "/orders", _orders),
    Route("GET", "/orders/{order_id}", _order_history),
    Route("GET", "/orders/{order_id}/trades", _order_trades),
    Route("POST", "/orders/{variety}", _place, changes=True),
    Route("PUT", "/orders/{variety}/{order_id}", _modify, changes=True),
    Route("DELETE", "/orders/{variety}/{order_id}", _cancel, changes=True),
    Route("GET", "/trades", _trades),
    Route("GET", "/portfolio/positions", _positions),
    Route("PUT", "/portfolio/positions", _convert, changes=True),
    Route("GET", "/portfolio/holdings", _holdings),
    Route("POST", "/margins/orders", _order_margins),
    Route("POST", "/margins/basket", _basket_margins),
    Route("POST", "/charges/orders", _contract_note),
    Route("GET", "/quote", _quotes),
    Route("GET", "/quote/ohlc", _ohlc),
    Route("GET", "/quote/ltp", _ltp),
    Route("GET", "/instruments/historical/{instrument_token}/{interval}", _historical),
    Route("GET", "/instruments/trigger_range/{transaction_type}", _trigger_range),
    Route("GET", "/instruments", _instruments),
    Route("GET", "/instruments/{exchange}", _instruments),
)

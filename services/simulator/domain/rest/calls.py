"""Kite's REST interface as functions: a request and the exchange → the `data` of the reply.

The routes of the market, and with those of the account all that there are; futures, currencies and
commodities are not listed. Each answer may raise a KiteError.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from libs.market.calendar import IST
from services.simulator.domain.errors import InputError
from services.simulator.domain.exchange import Exchange
from services.simulator.domain.rest.account_calls import ACCOUNT_ROUTES, Request, Route

__all__ = ["ROUTES", "Request", "Route"]


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


ROUTES: tuple[Route[Exchange], ...] = (
    *ACCOUNT_ROUTES,
    Route("GET", "/quote", _quotes),
    Route("GET", "/quote/ohlc", _ohlc),
    Route("GET", "/quote/ltp", _ltp),
    Route("GET", "/instruments/historical/{instrument_token}/{interval}", _historical),
    Route("GET", "/instruments/trigger_range/{transaction_type}", _trigger_range),
    Route("GET", "/instruments", _instruments),
    Route("GET", "/instruments/{exchange}", _instruments),
)

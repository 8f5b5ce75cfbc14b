"""Positions, holdings and funds as Kite's replies show them."""

from decimal import Decimal
from typing import Any

from services.simulator.domain.account.margins import Requirement
from services.simulator.domain.account.market_port import AccountMarket
from services.simulator.domain.account.order_replies import number
from services.simulator.domain.account.order_request import NOTHING
from services.simulator.domain.account.parts import AccountParts
from services.simulator.domain.account.positions import Holding, Position, average
from services.simulator.domain.account.prices import exact, last_price

_MULTIPLIER = 1
_NOT_HELD_OTHERWISE = {
    "t1_quantity": 0,
    "authorised_quantity": 0,
    "short_quantity": 0,
    "collateral_quantity": 0,
}
_NO_MARGIN_TRADING = {
    "quantity": 0,
    "used_quantity": 0,
    "average_price": 0,
    "value": 0,
    "initial_margin": 0,
}


def position_row(position: Position, parts: AccountParts) -> dict[str, Any]:
    """Return a position's row with Kite's arithmetic.

    `value` is sold less bought, `pnl` adds the open units at the last price; `m2m` counts overnight
    units at the close before. As in Kite's own replies `unrealised` is all of the pnl and
    `realised` 0, and `close_price` is 0 without overnight units.
    """
    instrument = parts.instrument(position)
    last = last_price(parts.market, instrument)
    close = exact(parts.market.previous_close(instrument.instrument_token))
    return {
        "tradingsymbol": position.tradingsymbol,
        "exchange": position.exchange,
        "instrument_token": instrument.instrument_token,
        "product": position.product,
        "quantity": position.quantity,
        "overnight_quantity": position.overnight_quantity,
        "multiplier": _MULTIPLIER,
        "average_price": number(position.average_price),
        "close_price": number(close if position.overnight_quantity else NOTHING),
        "last_price": number(last),
        **_results(position, last, close),
        **_side("buy", position.buy_quantity, position.buy_value),
        **_side("sell", position.sell_quantity, position.sell_value),
        **_side("day_buy", position.day_buy_quantity, position.day_buy_value),
        **_side("day_sell", position.day_sell_quantity, position.day_sell_value),
    }


def _results(position: Position, last: Decimal, close: Decimal) -> dict[str, Any]:
    value = position.sell_value - position.buy_value
    pnl = value + position.quantity * last * _MULTIPLIER
    buy_m2m = position.day_buy_value + max(position.overnight_quantity, 0) * close
    sell_m2m = position.day_sell_value - min(position.overnight_quantity, 0) * close
    return {
        "value": number(value),
        "pnl": number(pnl),
        "m2m": number(sell_m2m - buy_m2m + position.quantity * last * _MULTIPLIER),
        "unrealised": number(pnl),
        "realised": 0,
        "buy_m2m": number(buy_m2m),
        "sell_m2m": number(sell_m2m),
    }


def day_row(position: Position, parts: AccountParts) -> dict[str, Any]:
    """Return the row of what was traded today alone."""
    today = Position(
        exchange=position.exchange,
        tradingsymbol=position.tradingsymbol,
        product=position.product,
        day_buy_quantity=position.day_buy_quantity,
        day_buy_value=position.day_buy_value,
        day_sell_quantity=position.day_sell_quantity,
        day_sell_value=position.day_sell_value,
    )
    close = parts.market.previous_close(parts.instrument(position).instrument_token)
    is_carried = bool(position.overnight_quantity)
    return position_row(today, parts) | {"close_price": close if is_carried else 0.0}


def _side(name: str, quantity: int, value: Decimal) -> dict[str, Any]:
    return {
        f"{name}_quantity": quantity,
        f"{name}_price": number(average(value, quantity)),
        f"{name}_value": number(value),
    }


def holding_row(holding: Holding, parts: AccountParts) -> dict[str, Any]:
    """Return a holding's row; shares sold today for delivery are its `used_quantity`.

    Nothing is pledged, lent or awaiting settlement, and there is no ISIN.
    """
    today = parts.portfolio.quantity(holding.exchange, holding.tradingsymbol, "CNC")
    return {
        "tradingsymbol": holding.tradingsymbol,
        "exchange": holding.exchange,
        "isin": "",
        "product": "CNC",
        "price": 0,
        "quantity": holding.quantity,
        "used_quantity": max(-today, 0),
        "realised_quantity": holding.quantity,
        "opening_quantity": holding.quantity,
        "authorised_date": f"{parts.market.trading_day} 00:00:00",
        "authorisation": {},
        "collateral_type": "",
        "discrepancy": False,
        "average_price": number(holding.average_price),
        "mtf": dict(_NO_MARGIN_TRADING),
        **_NOT_HELD_OTHERWISE,
        **_valuation(holding, parts.market),
    }


def _valuation(holding: Holding, market: AccountMarket) -> dict[str, Any]:
    """Return the columns of the market; a share that is not listed has no price."""
    instrument = market.find(holding.exchange, holding.tradingsymbol)
    last = close = NOTHING
    if instrument is not None:
        last = last_price(market, instrument)
        close = exact(market.previous_close(instrument.instrument_token)) or last
    change = last - close
    return {
        "instrument_token": 0 if instrument is None else instrument.instrument_token,
        "last_price": number(last),
        "close_price": number(close),
        "pnl": number(holding.quantity * (last - holding.average_price)),
        "day_change": number(change),
        "day_change_percentage": number(change / close * 100) if close else 0.0,
    }


def equity_margins(parts: AccountParts) -> dict[str, Any]:
    """Return the funds of equities and their derivatives.

    `net` is `cash` less `debits`; `debits` are the blocked margins less the booked profit
    (`m2m_realised`) and plus the open intraday loss (`m2m_unrealised`, negative). Cash blocked for
    equities has no field of its own.
    """
    funds = parts.funds
    blocked = funds.blocked(parts.in_book())
    return _segment(funds.funds, blocked, funds.realised, funds.unrealised)


def commodity_margins() -> dict[str, Any]:
    """Return the funds of commodities: none."""
    return _segment(NOTHING, Requirement(), NOTHING, NOTHING)


def _segment(
    funds: Decimal, blocked: Requirement, realised: Decimal, unrealised: Decimal
) -> dict[str, Any]:
    debits = blocked.total - realised - unrealised
    return {
        "enabled": True,
        "net": number(funds - debits),
        "available": {
            "adhoc_margin": 0,
            "cash": number(funds),
            "opening_balance": number(funds),
            "live_balance": number(funds - debits),
            "collateral": 0,
            "intraday_payin": 0,
        },
        "utilised": {
            "debits": number(debits),
            "exposure": number(blocked.exposure),
            "m2m_realised": number(realised),
            "m2m_unrealised": number(unrealised),
            "option_premium": number(blocked.option_premium),
            "payout": 0,
            "span": number(blocked.span),
            "holding_sales": 0,
            "turnover": 0,
            "liquid_collateral": 0,
            "stock_collateral": 0,
            "delivery": 0,
        },
    }

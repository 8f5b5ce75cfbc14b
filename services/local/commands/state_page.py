"""The state of an executor on the screen."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from rich.table import Table

from libs.market.calendar import IST
from libs.market.rupees import rupees
from services.executor.replies import Amount, ArmingState, Count, PositionState, State
from services.local.play.standing import Standing

UNKNOWN = "unknown"
_OLD = timedelta(minutes=1)
"""The time of a price is shown when it is older than this."""


def state_lines(state: State) -> Iterator[str]:
    """Yield the lines above the table of positions."""
    standing = Standing(state.mode, state.settings_mode, state.halted_because)
    halted = "" if state.halted_because else ", not halted"
    yield f"{standing.line}{halted}, {_positions(state.open_positions)} open"
    if "live" in (state.mode, state.settings_mode):
        yield f"live entries     {_arming(state.arming)}"
    limits, closed = state.limits, state.closed_positions
    day = "today" if state.trading_day is None else f"on {state.trading_day}"
    at = "" if state.at is None else f", at {_time(state.at)} in India"
    yield f"realised         {rupees(state.realised)} by {_positions(closed)} closed {day}{at}"
    yield f"unrealised       {_money(state.unrealised)}"
    yield f"capital          {rupees(state.capital)}"
    yield f"capital at risk  {_amount(limits.capital_at_risk)}"
    yield f"loss of the day  {_amount(limits.daily_loss)}"
    yield f"losses in a row  {_count(limits.losses_in_a_row)}"
    yield f"trades           {_count(limits.trades_a_day)}"
    yield f"positions        {_count(limits.positions)}, entries in flight included"
    yield f"orders           {state.working_orders} working, {state.orders_in_doubt} in doubt"


def positions_table(state: State) -> Table:
    """Return the table of positions: two lines each, so that it fits 80 columns."""
    table = Table()
    table.add_column("contract\nstrategy", overflow="fold")
    columns = ("lots\nquantity", "average\nlast", "unrealised\nat risk", "stop\ntarget")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for one in state.positions:
        table.add_row(*_row(one, state.at))
    return table


def _arming(now: ArmingState) -> str:
    if now.until is None:
        return f"not armed: {now.why_not}"
    left = "" if now.trades_left is None else f", {_positions(now.trades_left)} left"
    lots = "" if now.lots_a_trade is None else f", {now.lots_a_trade} lots a trade"
    return f"armed until {now.until.astimezone(IST):%H:%M} by {now.by}{left}{lots}"


def _row(one: PositionState, now: datetime | None) -> tuple[str, ...]:
    selling = f", selling {one.selling}" if one.selling else ""
    return (
        f"{one.tradingsymbol}\n{one.strategy}{selling}",
        f"{one.lots:g}\n{one.quantity}",
        f"{rupees(one.average_price)}\n{_money(one.last_price)}{_age(one, now)}",
        f"{_money(one.unrealised)}\n{_money(one.at_risk)}",
        f"{rupees(one.stop_loss)}\n{rupees(one.target)}",
    )


def _age(one: PositionState, now: datetime | None) -> str:
    """Return the time of an old price."""
    if one.quoted_at is None or now is None or now - one.quoted_at < _OLD:
        return ""
    return f" of {_day(one.quoted_at, now)}{_time(one.quoted_at)}"


def _money(amount: Decimal | None) -> str:
    return UNKNOWN if amount is None else rupees(amount)


def _amount(amount: Amount) -> str:
    return f"{rupees(amount.used)} of {rupees(amount.limit)}"


def _positions(number: int) -> str:
    return "1 position" if number == 1 else f"{number} positions"


def _count(count: Count) -> str:
    return f"{count.used} of {count.limit}"


def _day(at: datetime, now: datetime) -> str:
    """Return the day of a time in India, unless it is today."""
    day = at.astimezone(IST).date()
    return "" if day == now.astimezone(IST).date() else f"{day} "


def _time(at: datetime) -> str:
    return f"{at.astimezone(IST):%H:%M:%S}"

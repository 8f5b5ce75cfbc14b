"""What the executor knows of its trading now, for a person who looks."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from libs.events.orders import Mode, OrderPlanned
from libs.market.calendar import day_in_india
from libs.market.quotes import Quote
from services.executor.domain.executor import OptionsExecutor
from services.executor.domain.live.arming import ArmingView
from services.executor.domain.policy import RiskLimits
from services.executor.domain.risk import DayResult


@dataclass(frozen=True, slots=True)
class OpenPosition:
    """A position by its orders and the latest quote; prices in rupees, quantities in units.

    `entry`: the plan of its first order. `selling`: units in exits under way. `last_price` and
    `quoted_ms` (epoch ms) are None before a quote. `at_risk`: rupees lost at the stop, with what
    the entry may still add; None where the risk book does not have the position.
    """

    entry: OrderPlanned
    quantity: int
    selling: int
    average_price: Decimal
    last_price: Decimal | None
    quoted_ms: int | None
    at_risk: Decimal | None

    @property
    def unrealised(self) -> Decimal | None:
        """Rupees that a sale at the last price would make before charges."""
        if self.last_price is None:
            return None
        return (self.last_price - self.average_price) * self.quantity


@dataclass(frozen=True, slots=True)
class Overview:
    """Mode, halt, positions, results and used limits; money in rupees.

    `at_ms` is the executor's clock (epoch ms; 0: it has not started), `day` the trading day of
    `result`, None before the first. `exposed` counts positions and entries in flight;
    `to_close` has an entry of each of them.
    """

    at_ms: int
    mode: Mode
    settings_mode: Mode
    halted_because: str | None
    day: date | None
    positions: tuple[OpenPosition, ...]
    to_close: tuple[OrderPlanned, ...]
    result: DayResult
    exposed: int
    capital: Decimal
    at_risk: Decimal
    limits: RiskLimits
    working: int
    in_doubt: int
    arming: ArmingView

    @property
    def unrealised(self) -> Decimal | None:
        """The sum over all positions, None where the price of one is not known."""
        known = [one.unrealised for one in self.positions if one.unrealised is not None]
        return sum(known, Decimal(0)) if len(known) == len(self.positions) else None


def overview(executor: OptionsExecutor, now_ms: int) -> Overview:
    """Return what the executor knows now."""
    risk, working = executor.risk, executor.blotter.working()
    day = max(day_in_india(now_ms) if now_ms else date.min, risk.day)
    return Overview(
        at_ms=now_ms,
        mode=executor.mode,
        settings_mode=executor.settings_mode,
        halted_because=risk.halted_because,
        day=None if day == date.min else day,
        positions=tuple(_position(executor, entry) for entry in executor.blotter.held()),
        to_close=executor.blotter.to_close(),
        result=risk.result_of(day),
        exposed=risk.exposed,
        capital=risk.capital,
        at_risk=risk.at_risk,
        limits=risk.limits,
        working=len(working),
        in_doubt=sum(order.state == "unresolved" for order in working),
        arming=executor.arming.view(now_ms),
    )


def _position(executor: OptionsExecutor, entry: OrderPlanned) -> OpenPosition:
    key, blotter = entry.position_id, executor.blotter
    holding, quote = blotter.holding(key), _quote(executor, entry.contract.instrument_token)
    return OpenPosition(
        entry=entry,
        quantity=holding.bought - holding.sold,
        selling=holding.selling,
        average_price=blotter.average_price(key),
        last_price=Decimal(str(quote.last_price)) if quote else None,
        quoted_ms=quote.at_ms if quote else None,
        at_risk=executor.risk.at_risk_of(key),
    )


def _quote(executor: OptionsExecutor, instrument_token: int) -> Quote | None:
    quote = executor.market.quotes.quote(instrument_token)
    return quote if quote is not None and quote.last_price > 0 else None

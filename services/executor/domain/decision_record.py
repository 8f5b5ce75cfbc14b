"""The record of a decision: its event, with everything that it stood on, and those of a refusal."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date
from decimal import Decimal
from itertools import chain
from math import isfinite
from typing import Any

from pydantic_core import to_jsonable_python

from libs.events.control import RiskLimitReached
from libs.events.decision import (
    ChainSeen,
    ChecksSeen,
    DecisionInputs,
    ExpirySeen,
    LimitSeen,
    ListingSeen,
    LiveSeen,
    PairSeen,
    PlanSeen,
    RiskSeen,
    SignalSeen,
    SpotSeen,
)
from libs.events.event import Event, ms_from_utc, utc_from_ms
from libs.events.instruments import Contract
from libs.events.signals import ExecutionDecided, SignalGenerated, SignalRejected
from libs.market.calendar import CalendarError, Session
from libs.market.greeks import FALLBACK_RATE
from libs.market.option_chain import ChainView, parity_pairs
from libs.market.physical_settlement import load_physical_settlement
from libs.market.price_limits import option_price_limits
from services.executor.domain.decision import Decision, Trade
from services.executor.domain.entry_limits import RiskBudgets
from services.executor.domain.entry_rules import budget_measures, risk_left
from services.executor.domain.expiry_choice import preferred
from services.executor.domain.live.outcome import Situation
from services.executor.domain.option_market import OptionMarket, Spot
from services.executor.domain.policy import Policy
from services.executor.domain.pretrade.order import Circumstances
from services.executor.domain.risk import Breach, RiskBook


@dataclass(frozen=True, slots=True)
class Around:
    """What a decision stood on beside its signal; `planned` is the trade before its checks."""

    now_ms: int
    situation: Situation
    policy: Policy
    market: OptionMarket
    risk: RiskBook
    ages_ms: Mapping[str, int] = field(default_factory=dict)
    budgets_ms: Mapping[str, int] = field(default_factory=dict)
    clock_off_ms: int = 0
    silent_since_ms: int = 0
    planned: Trade | None = None
    quantities: tuple[int, ...] = ()
    known: Circumstances | None = None
    paused_until_ms: int = 0


_RULES = fields(Policy)


@dataclass(slots=True)
class DecisionRecords:
    """Makes the events of decisions; the settings are put into words once, since they stay."""

    _said: dict[str, tuple[object, Any]] = field(default_factory=dict)

    def decided(
        self, signal: SignalGenerated, decision: Decision, around: Around
    ) -> ExecutionDecided:
        """Return the event of a decision.

        It is made of values that are checked already, so not checked once more: its order waits.
        """
        trade, refusal = decision.trade, decision.refusal
        at = utc_from_ms(around.now_ms)
        return ExecutionDecided.unchecked(
            {
                "type": "ExecutionDecided",
                **ExecutionDecided.after(signal, signal.signal_id, occurred_at=at),
                "signal_id": signal.signal_id,
                "strategy": signal.strategy,
                "underlying": signal.underlying,
                "outcome": _outcome(trade, around.situation.mode),
                "reason": refusal.reason if refusal else "",
                "numbers": refusal.numbers if refusal else trade.numbers if trade else {},
                "tradingsymbol": trade.contract.tradingsymbol if trade else "",
                "expiry": trade.contract.expiry if trade else None,
                "lots": trade.lots if trade else 0,
                "quantity": trade.quantity if trade else 0,
                "premium": float(trade.premium) if trade else 0.0,
                "candidates": tuple(candidate.row() for candidate in decision.candidates),
                "inputs": self.inputs(signal, decision, around),
            }
        )

    def inputs(self, signal: SignalGenerated, decision: Decision, around: Around) -> DecisionInputs:
        """Return everything that a decision stood on."""
        looked, planned = decision.looked, around.planned
        name = around.policy.profile_name(signal.strategy)
        chosen = None if looked.view is None else looked.view.expiry
        return DecisionInputs.unchecked(
            at_ms=around.now_ms,
            mode=around.situation.mode,
            live=_live_seen(around.situation),
            rules=self._rules_of(around.policy),
            profile=name,
            terms=self._in_words(f"profile {name}", around.policy.profile_named(name)),
            signal=_signal_seen(signal),
            ages_ms=dict(around.ages_ms),
            budgets_ms=dict(around.budgets_ms),
            clock_off_ms=around.clock_off_ms,
            silent_since_ms=around.silent_since_ms,
            risk=_risk_seen(signal, around.risk, around.policy.budgets),
            listing=_listing_seen(signal, around, chosen),
            spot=None if looked.spot is None else _spot_seen(looked.spot),
            chain=None if looked.view is None else _chain_seen(looked.view, around.market),
            contract=looked.contract,
            plan=None if planned is None else _plan_seen(planned),
            checks=_checks_seen(looked.contract, around),
        )

    def _rules_of(self, policy: Policy) -> dict[str, Any]:
        return {one.name: self._in_words(one.name, getattr(policy, one.name)) for one in _RULES}

    def _in_words(self, name: str, rules: object) -> Any:
        """Return rules as JSON has them, made anew only when they are others."""
        known, said = self._said.get(name, (None, None))
        if known is not rules:
            said = _json_of(rules)
            self._said[name] = rules, said
        return said


def refused(signal: SignalGenerated, decision: Decision, now_ms: int) -> tuple[Event, ...]:
    """Return the events of a refusal: SignalRejected, and RiskLimitReached if a limit refused."""
    refusal = decision.refusal
    reason, numbers = (refusal.reason, refusal.numbers) if refusal else ("", {})
    at, day = utc_from_ms(now_ms), signal.trading_day
    rejected = SignalRejected.of(signal, at, day, reason, numbers)
    if decision.breach is None:
        return (rejected,)
    return rejected, _limit_reached(signal, decision.breach, now_ms)


def _limit_reached(signal: SignalGenerated, breach: Breach, now_ms: int) -> RiskLimitReached:
    envelope = RiskLimitReached.after(
        signal, breach.limit, signal.signal_id, occurred_at=utc_from_ms(now_ms)
    )
    return RiskLimitReached(
        **envelope,
        reason=f"{signal.underlying}: {breach.limit}",
        limit=breach.limit,
        value=breach.value,
        maximum=breach.maximum,
        strategy=breach.strategy,
    )


def _json_of(rules: object) -> Any:
    """Return rules as JSON has them, with those too that are at their defaults."""
    if is_dataclass(rules) and not isinstance(rules, type):
        return {one.name: _json_of(getattr(rules, one.name)) for one in fields(rules)}
    if isinstance(rules, Mapping):
        return {key: _json_of(value) for key, value in rules.items()}
    if isinstance(rules, tuple):
        return [_json_of(one) for one in rules]
    return to_jsonable_python(rules)


def _live_seen(now: Situation) -> LiveSeen:
    footing = now.footing
    return LiveSeen.unchecked(
        venue=footing.venue,
        clock=footing.clock,
        bus=footing.bus,
        has_session=now.has_session,
        is_armed=now.is_armed,
    )


def _outcome(trade: Trade | None, mode: str) -> str:
    if trade is None:
        return "refused"
    return "logged" if mode == "logging_only" else "executed"


def _signal_seen(signal: SignalGenerated) -> SignalSeen:
    return SignalSeen.unchecked(
        tradingsymbol=signal.tradingsymbol,
        action=signal.action,
        interval=signal.interval,
        occurred_ms=signal.occurred_ms,
        closed_ms=ms_from_utc(signal.candle_closed_at),
        price=signal.price,
        stop_loss=signal.stop_loss,
        target=signal.target,
        confidence=signal.confidence,
        expected_move=signal.expected_move,
    )


def _risk_seen(signal: SignalGenerated, risk: RiskBook, budgets: RiskBudgets) -> RiskSeen:
    underlying, reached = signal.underlying, risk.day_limits.breach(signal.strategy)
    limits = tuple(
        LimitSeen.unchecked(name=name, value=value, maximum=maximum)
        for name, value, maximum in chain(
            risk.measures(underlying), budget_measures(budgets, risk, signal)
        )
    )
    return RiskSeen.unchecked(
        halted_because=risk.halted_because or "",
        quarantined_because=risk.quarantined_because(underlying) or "",
        reached=None if reached is None else _limit_seen(reached),
        limits=limits,
        stops_ms=risk.stops_in(signal.strategy, underlying),
        at_risk=risk.at_risk,
        left=risk_left(budgets, risk, signal),
    )


def _limit_seen(breach: Breach) -> LimitSeen:
    value, maximum = Decimal(str(breach.value)), Decimal(str(breach.maximum))
    return LimitSeen.unchecked(name=breach.limit, value=value, maximum=maximum)


def _listing_seen(signal: SignalGenerated, around: Around, chosen: date | None) -> ListingSeen:
    market, day = around.market, signal.trading_day
    exchange = market.exchange_of(signal.underlying)
    expiries = market.expiries(signal.underlying, day)
    return ListingSeen.unchecked(
        exchange=exchange,
        calendar_until=market.calendar.last_day,
        is_day_in_calendar=market.calendar.covers(day),
        day_closes_ms=market.closes_ms(exchange, day),
        listed_on=market.day,
        expiries=expiries,
        considered=tuple(
            _expiry_seen(expiry, signal.underlying, exchange, around)
            for expiry in _considered(expiries, chosen, around.policy)
        ),
    )


def _considered(expiries: tuple[date, ...], chosen: date | None, policy: Policy) -> Iterator[date]:
    """Yield the expiries in their order of preference, up to the one that was decided on."""
    for expiry in preferred(expiries, policy.chain):
        yield expiry
        if expiry == chosen or policy.entry.near_expiry == "refuse":
            return


def _expiry_seen(expiry: date, underlying: str, exchange: str, around: Around) -> ExpirySeen:
    market, days = around.market, around.policy.entry.before_settlement_days
    settlement = load_physical_settlement()
    last = settlement.last_day(underlying, expiry, market.calendar, days)
    return ExpirySeen.unchecked(
        expiry=expiry,
        is_in_calendar=market.calendar.covers(expiry),
        closes_ms=market.closes_ms(exchange, expiry),
        leave_by_ms=None if last is None else market.closes_ms(exchange, last),
    )


def _spot_seen(spot: Spot) -> SpotSeen:
    return SpotSeen.unchecked(
        name=spot.name, price=spot.price, at_ms=spot.at_ms, is_index=spot.is_index
    )


def _chain_seen(view: ChainView, market: OptionMarket) -> ChainSeen:
    closes_ms = market.closes_ms(market.exchange_of(view.underlying), view.expiry) or view.at_ms
    pairs = parity_pairs(view)
    return ChainSeen.unchecked(
        expiry=view.expiry,
        closes_ms=closes_ms,
        seconds_to_expiry=(closes_ms - view.at_ms) / 1000,
        years=view.years,
        strikes=tuple(sorted(set(view.strike.tolist()))),
        rate=market.rate,
        forward=view.forward,
        forward_by="parity" if pairs else "spot",
        rate_of_spot=FALLBACK_RATE,
        pairs=tuple(
            PairSeen.unchecked(strike=strike, call=call, put=put) for strike, call, put in pairs
        ),
    )


def _plan_seen(trade: Trade) -> PlanSeen:
    return PlanSeen.unchecked(
        lots=trade.lots,
        quantity=trade.quantity,
        premium=trade.premium,
        limit_price=trade.limit,
        stop_loss=trade.levels.stop_loss,
        target=trade.levels.target,
        exit_plan=trade.exit_plan,
    )


def _checks_seen(contract: Contract | None, around: Around) -> ChecksSeen | None:
    known = around.known
    if known is None or contract is None:
        return None
    product, day = around.policy.orders.product, known.in_india.date()
    ends = known.rulebook.broker_square_off(product, day, contract.exchange)
    sessions = _sessions(known, contract.exchange, day)
    return ChecksSeen.unchecked(
        product=product,
        quantities=around.quantities,
        freeze_quantity=known.freeze_quantity,
        reference_price=known.reference_price,
        highest_price=_highest_price(known, day),
        required_margin=known.required_margin,
        available_margin=known.available,
        opens_ms=tuple(one.open_ms for one in sessions),
        closes_ms=tuple(one.close_ms for one in sessions),
        square_off=None if ends is None else f"{ends:%H:%M}",
        paused_until_ms=around.paused_until_ms,
    )


def _highest_price(known: Circumstances, day: date) -> Decimal | None:
    """Return the most that the exchange's price protection takes; None without one."""
    if known.reference_price is None:
        return None
    reach = option_price_limits(day).protection(known.is_index_option)
    _, highest = reach.around(known.reference_price)
    return highest if isfinite(highest) else None


def _sessions(known: Circumstances, exchange: str, day: date) -> tuple[Session, ...]:
    try:
        return known.calendar.sessions(exchange, day)
    except CalendarError:
        return ()

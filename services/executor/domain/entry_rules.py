"""What refuses an entry besides the account's limits: budgets of risk, and entries after a stop."""

from collections.abc import Iterator
from decimal import Decimal

from libs.events.signals import SignalGenerated
from services.executor.domain.entry_limits import ReEntry, RiskBudgets
from services.executor.domain.policy import Refusal
from services.executor.domain.risk import Breach, RiskBook


def budget_breach(budgets: RiskBudgets, risk: RiskBook, signal: SignalGenerated) -> Breach | None:
    """Return the budget of risk that is used up, or None."""
    for name, at_risk, maximum in budget_measures(budgets, risk, signal):
        if at_risk >= maximum:
            return Breach(name, float(at_risk), float(maximum))
    return None


def risk_left(budgets: RiskBudgets, risk: RiskBook, signal: SignalGenerated) -> Decimal:
    """Return the rupees that a trade may still put at risk, by the account and all budgets."""
    of_budgets = [maximum - used for _, used, maximum in budget_measures(budgets, risk, signal)]
    return min([risk.risk_left, *of_budgets])


def budget_measures(
    budgets: RiskBudgets, risk: RiskBook, signal: SignalGenerated
) -> Iterator[tuple[str, Decimal, Decimal]]:
    """Yield each budget's name, what is at risk now, and the most; rupees."""
    strategy, underlying = signal.strategy, signal.underlying
    part = budgets.of_strategy(strategy)
    if part is not None:
        used = risk.at_risk_in(strategy=strategy)
        yield "strategy_capital_at_risk", used, risk.capital * part
    part = budgets.of_underlying(underlying)
    if part is not None:
        used = risk.at_risk_in(underlying=underlying)
        yield "underlying_capital_at_risk", used, risk.capital * part


def refuse_reentry(
    rules: ReEntry, risk: RiskBook, signal: SignalGenerated, now_ms: int
) -> Refusal | None:
    """Return why a strategy may not enter an underlying again after its stops of today."""
    if rules.most_a_day is None:
        return None
    stops = risk.stops_in(signal.strategy, signal.underlying)
    if not stops:
        return None
    if len(stops) > rules.most_a_day:
        numbers = {"stops": float(len(stops)), "maximum": float(rules.most_a_day)}
        return Refusal("reentries_a_day", {**numbers})
    since_ms = now_ms - max(stops)
    if since_ms < rules.after_ms:
        seconds = {"seconds_since": since_ms / 1000, "wanted_seconds": rules.after_ms / 1000}
        return Refusal("reentry_too_soon", {**seconds})
    if signal.occurred_ms <= max(stops):
        return Refusal("signal_before_stop", {"seconds_since": since_ms / 1000})
    return None

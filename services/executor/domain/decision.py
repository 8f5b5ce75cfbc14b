"""From a signal to a decision: a refusal has a reason, a trade its candidates."""

from dataclasses import dataclass, replace
from decimal import Decimal

from libs.events.event import ms_from_utc
from libs.events.exit_plan import ExitPlan
from libs.events.instruments import Contract
from libs.events.orders import Mode
from libs.events.signals import SignalGenerated
from libs.market.greeks import NEAR_ATM_STRIKES
from libs.market.option_chain import ChainView
from services.executor.domain.entry_rules import budget_breach, refuse_reentry, risk_left
from services.executor.domain.expiry_choice import choose_chain
from services.executor.domain.option_market import OptionMarket, Spot
from services.executor.domain.planned_exits import planned_exits
from services.executor.domain.policy import ChainFilter, Numbers, Policy, Refusal
from services.executor.domain.profiles import STANDARD
from services.executor.domain.risk import Breach, RiskBook
from services.executor.domain.selection import Candidate, Selection, old_quote, select
from services.executor.domain.sizing import Levels, limit_of, size_of
from services.executor.domain.validation import refuse_signal, refuse_window
from services.executor.domain.wanted_strikes import strikes_looked_at


@dataclass(frozen=True, slots=True)
class Trade:
    """What is to be bought: contract, size, prices in rupees, stop and target, other exits."""

    contract: Contract
    lots: int
    quantity: int
    premium: Decimal
    limit: Decimal
    levels: Levels
    numbers: Numbers
    exit_plan: ExitPlan | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """What was looked at on the way to a decision, as far as it went."""

    spot: Spot | None = None
    view: ChainView | None = None
    contract: Contract | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """A trade or a refusal, with the candidates that were compared."""

    trade: Trade | None
    refusal: Refusal | None
    candidates: tuple[Candidate, ...] = ()
    breach: Breach | None = None
    looked: Looked = Looked()


def decide(
    signal: SignalGenerated,
    now_ms: int,
    mode: Mode,
    policy: Policy,
    market: OptionMarket,
    risk: RiskBook,
) -> Decision:
    """Decide on a signal by current quotes and limits."""
    if mode == "disabled":
        return Decision(None, Refusal("disabled"))
    closes_ms = market.closes_ms(market.exchange_of(signal.underlying), signal.trading_day)
    refusal = refuse_signal(signal, policy.entry, now_ms, closes_ms)
    refusal = refusal or refuse_window(signal, policy, now_ms)
    if refusal:
        return Decision(None, refusal)
    breach = risk.breach(signal.underlying, signal.strategy)
    breach = breach or budget_breach(policy.budgets, risk, signal)
    if breach:
        numbers: Numbers = {"value": breach.value, "maximum": breach.maximum}
        return Decision(None, Refusal(breach.limit, numbers), breach=breach)
    refusal = refuse_reentry(policy.reentry, risk, signal, now_ms)
    if refusal:
        return Decision(None, refusal)
    return _choose(signal, now_ms, policy, market, risk)


def _choose(
    signal: SignalGenerated, now_ms: int, policy: Policy, market: OptionMarket, risk: RiskBook
) -> Decision:
    entry, rules = policy.entry, policy.chain
    day, underlying = signal.trading_day, signal.underlying
    chain = choose_chain(market, underlying, day, now_ms, rules, entry)
    if isinstance(chain, Refusal):
        return Decision(None, chain)
    spot = _spot(signal, market)
    refusal = _refuse_spot(spot, now_ms, rules)
    if refusal is not None:
        return Decision(None, refusal, looked=Looked(spot))
    name = policy.profile_name(signal.strategy)
    profile = policy.profile_named(name)
    wide = strikes_looked_at(profile.strike, rules)
    near = chain.near(spot.price, max(wide, NEAR_ATM_STRIKES))
    view = market.view(near, spot.price, now_ms, rules.quote_budget_ms)
    if view is None:
        refusal = Refusal("expiry_is_over", {"expiry": str(chain.expiry)})
        return Decision(None, refusal, looked=Looked(spot))
    selection = select(
        view,
        near.contracts,
        signal.action,
        now_ms,
        rules,
        policy.weights,
        profile.strike,
        profile.min_delta,
    )
    if selection.chosen is None:
        looked = Looked(spot, view)
        return Decision(None, selection.refusal, selection.candidates, looked=looked)
    token = selection.chosen.instrument_token
    bought = Contract.of(next(one for one in near.contracts if one.instrument_token == token))
    left = risk_left(policy.budgets, risk, signal)
    sized = _size(selection, selection.chosen, bought, name, policy, left)
    return replace(sized, looked=Looked(spot, view, bought))


def _spot(signal: SignalGenerated, market: OptionMarket) -> Spot:
    """Return the spot, which is the signal's own price while the underlying has no quote."""
    spot = market.spot(signal.underlying)
    if spot is not None:
        return spot
    closed_ms = ms_from_utc(signal.candle_closed_at)
    return Spot(f"signal of {signal.tradingsymbol}", signal.price, closed_ms)


def _refuse_spot(spot: Spot, now_ms: int, rules: ChainFilter) -> Refusal | None:
    budget_ms = rules.index_budget_ms if spot.is_index else rules.quote_budget_ms
    age_ms = now_ms - spot.at_ms
    if age_ms <= budget_ms:
        return None
    return Refusal("old_spot", old_quote(spot.name, age_ms, budget_ms))


def _size(
    selection: Selection,
    chosen: Candidate,
    contract: Contract,
    name: str,
    policy: Policy,
    risk_left: Decimal,
) -> Decision:
    profile, premium = policy.profile_named(name), Decimal(str(round(chosen.ask_price, 2)))
    exits = planned_exits(name, profile, premium, contract.tick_size)
    if isinstance(exits, Refusal):
        return Decision(None, exits, selection.candidates)
    limit = limit_of(premium, contract.tick_size, policy.orders.limit_buffer)
    size = size_of(
        premium=premium,
        limit=limit,
        stop_loss=exits.levels.stop_loss,
        lot_size=contract.lot_size,
        stop=profile.stop,
        sizing=policy.sizing_of(profile),
        lots_cap=policy.limits.lots_a_trade,
        risk_left=risk_left,
    )
    if size.refusal:
        return Decision(None, size.refusal, selection.candidates)
    numbers = size.caps | {"score": chosen.score}
    if name != STANDARD:
        numbers |= {"profile": name, "strike": str(profile.strike)}
    quantity = size.lots * contract.lot_size
    trade = Trade(
        contract, size.lots, quantity, premium, limit, exits.levels, numbers, exits.exit_plan
    )
    return Decision(trade, None, selection.candidates)

"""What to change so that a signal that was not traded is traded: for each reason one sentence.

Names in braces are the numbers of the refusal.
"""

from collections.abc import Mapping

ADVICE: Mapping[str, str] = {
    "disabled": "Set the mode: `alphastocks mode paper`, or executor.mode.",
    "logging_only": 'Set the mode: `alphastocks mode paper`, or executor.mode = "paper".',
    "test_symbol": "Use a symbol that does not begin with TEST_: {tradingsymbol} never trades.",
    "stale": (
        "It was {age_seconds} s old: raise executor.entry.max_age_seconds and "
        "signal.rules.max_age_ms above that (now {allowed_seconds} s), or find the delay in the "
        "times per hop."
    ),
    "duplicate": (
        "{price} lies between stop {last_stop_loss} and target {last_target} of the last signal "
        "in this direction: a new one counts once the price has left them."
    ),
    "outside_the_windows": "Widen signal.filters.windows ({windows}) to hold {time}.",
    "outside_entry_windows": (
        "Widen the windows of the strategy (executor.entry.windows_of), the profile or "
        "executor.entry.windows ({windows}) to hold {time}."
    ),
    "underlying_excluded": "Take {underlying} out of signal.filters.excluded.",
    "signals_a_day": "Raise signal.filters.signals_a_day above {maximum}.",
    "underlying_not_allowed": (
        "Add {underlying} to executor.entry.underlyings or signal.filters.underlyings; an empty "
        "list allows all."
    ),
    "too_late_in_the_day": (
        "Set executor.entry.last_entry ({last_entry}, or before_close_ms before an early close) "
        "later than {time}, and position.exits.square_off after it."
    ),
    "low_confidence": (
        "Lower executor.entry.min_confidence and signal.filters.min_confidence from {minimum} to "
        "{confidence} or less."
    ),
    "low_expected_move": (
        "Lower executor.entry.min_expected_move and signal.filters.min_expected_move from "
        "{minimum} % to {expected_move} % or less."
    ),
    "kill_switch": "End the halt: `alphastocks resume`; `alphastocks state` says why it was made.",
    "quarantine": (
        "Clear the difference that `alphastocks reconcile` shows; entries go on after the next "
        "comparison that finds none."
    ),
    "not_armed": "Arm it: `alphastocks arm --until 15:30` ({why}).",
    "no_session": "Log in: `alphastocks login`.",
    "mode_unfit": "Choose a mode that fits venue, clock and bus: docs/going-live.md has the table.",
    "daily_loss": (
        "The loss of {value} rupees is at the limit of {maximum}: it ends with the day; "
        "executor.limits.daily_loss or executor.sizing.capital would be larger."
    ),
    "daily_profit": (
        "It ends with the day (net {value}, kept {maximum}); executor.limits.profit_lock would be"
        " higher, or left out."
    ),
    "strategy_daily_loss": (
        "It ends with the day (lost {value} of {maximum}); raise daily_loss of "
        "executor.limits.strategies or each_strategy."
    ),
    "strategy_daily_profit": (
        "It ends with the day (net {value}, kept {maximum}); raise profit_lock of "
        "executor.limits.strategies or each_strategy."
    ),
    "losses_in_a_row": (
        "Raise executor.limits.losses_in_a_row above {value} (now {maximum}), or wait for the "
        "next day."
    ),
    "trades_a_day": "Raise executor.limits.trades_a_day above {value} (now {maximum}).",
    "positions": (
        "Raise executor.limits.positions above {value} (now {maximum}), or close one: "
        "`alphastocks state` shows them."
    ),
    "positions_per_underlying": (
        "Raise executor.limits.positions_per_underlying above {value} (now {maximum}), or wait "
        "until the open one is closed."
    ),
    "capital_at_risk": (
        "{value} of {maximum} rupees are at risk: raise executor.limits.capital_at_risk, or lower"
        " executor.sizing.risk so that each trade takes less."
    ),
    "strategy_capital_at_risk": (
        "{value} of {maximum} rupees are at risk by the strategy: raise executor.budgets, or wait "
        "until a position is closed."
    ),
    "underlying_capital_at_risk": (
        "{value} of {maximum} rupees are at risk in the underlying: raise executor.budgets, or "
        "wait until a position is closed."
    ),
    "reentries_a_day": (
        "It was stopped there {stops} times today: raise executor.reentry.most_a_day above "
        "{maximum}."
    ),
    "reentry_too_soon": (
        "Its stop was {seconds_since} s ago: lower executor.reentry.after_ms, which asks for "
        "{wanted_seconds} s."
    ),
    "signal_before_stop": (
        "Its stop was {seconds_since} s ago, after the signal: only a new signal enters again "
        "(executor.reentry.most_a_day)."
    ),
    "margin_pause": (
        "{underlying} is paused until {until}: pay in, or lower executor.entry.margin_pause_ms."
    ),
    "impossible_price": (
        "Correct the strategy: price, stop_loss and target of its signals are above 0."
    ),
    "expiry_day": (
        'It was {expiry}, the day of the expiry: set executor.entry.expiry_day = "trade", or '
        'near_expiry = "next".'
    ),
    "no_chain": "Add {underlying} to ingest.universe.underlyings, if it has options.",
    "expiry_is_near": (
        '{minutes_left} minutes are left of {expiry}: set executor.entry.near_expiry = "next", or'
        " lower before_expiry_ms."
    ),
    "expiry_unknown": (
        "The calendar has no session on {expiry}: correct it in your own rules (rules.folder)."
    ),
    "calendar_ends": (
        "The calendar is known to {known_to}: add later days to your own rules (rules.folder), or"
        " update."
    ),
    "no_calendar": (
        "{day} is not in the calendar, known to {known_to}: add it to your own rules "
        "(rules.folder), or update."
    ),
    "not_listed_today": (
        "The listing is of {listed_on}, not of {day}: see whether ingest has fetched the day's "
        "instruments."
    ),
    "more_expiries_needed": (
        "Set ingest.universe.expiries to {needed} (the last one listed is {last_listed}), or "
        "executor.chain.expiry to another one than {expiry}."
    ),
    "settled_in_shares": (
        '{expiry} could be bought until {last_day}: set executor.entry.near_expiry = "next", or '
        "lower before_settlement_days."
    ),
    "old_spot": (
        "{quote} was {age_seconds} s old: see the feed, or raise executor.chain.index_budget_ms "
        "or quote_budget_ms (now {budget_seconds} s)."
    ),
    "old_quotes": (
        "{quote} was {age_seconds} s old: see the feed, or raise executor.chain.quote_budget_ms "
        "(now {budget_seconds} s)."
    ),
    "expiry_is_over": "{expiry} is over: see whether ingest has fetched the day's instruments.",
    "clock_off": "The clock was {off_seconds} s off, {maximum} s at most: synchronise it (NTP).",
    "feed_silent": (
        "No tick came for {silent_seconds} s: see `/health/ready` of ingest; it goes on by itself"
        " with the next tick."
    ),
    "market_closed": (
        "{exchange} was closed at {time}: only its hours trade (`alphastocks rules show`)."
    ),
    "closing_auction": (
        "It was {time}, in the closing auction ({why}): set executor.entry.last_entry before it."
    ),
    "odd_lot": (
        "{quantity} is no multiple of the lot, {lot_size}: update the rules of the exchange "
        "(`alphastocks rules check`)."
    ),
    "off_tick": "{price} is no multiple of the tick, {tick_size}: update the day's instruments.",
    "above_freeze": (
        "{quantity} units are above the freeze quantity, {freeze}: lower "
        "executor.limits.lots_a_trade, or update the rules (`alphastocks rules check`)."
    ),
    "outside_price_range": (
        "The limit of {price} is above {highest}, by the last price {reference}: lower "
        "executor.orders.limit_buffer, or wait for a trade."
    ),
    "stop_gap": "The gap of {gap} is wider than {widest}: lower executor.resting_stop.gap.",
    "ban_period": "{underlying} is in a ban period: it trades again when the exchange ends it.",
    "product_over_night": 'Set executor.orders.product = "NRML": {product} ends at {square_off}.',
    "after_square_off": (
        'It was {time}, after {square_off}: set executor.orders.product = "NRML", or '
        "executor.entry.last_entry earlier."
    ),
    "margin_short": (
        "{required} rupees are needed, {available} are there: pay in, or lower "
        "executor.sizing.max_position or limits.lots_a_trade."
    ),
    "old_data": (
        "{hop} was {age_seconds} s old: see the times per hop, or raise executor.ages.{hop} (now "
        "{budget_seconds} s)."
    ),
    "no_contract": (
        "See the refusals in the table: lower executor.chain.min_volume or min_oi, raise "
        "max_spread, or raise strikes_from_atm."
    ),
    "far_from_wanted": (
        "No contract is near what the profile wants, {wanted}: raise `within` of its strike, or "
        "ingest.universe.near_strikes."
    ),
    "low_delta": "Lower min_delta of the profile, or let its strike be nearer to the money.",
    "levels_collapse": (
        "At a premium of {premium} the levels are {stop_loss} and {target}: raise stop and target"
        " of the profile, or choose strikes with more premium."
    ),
    "no_premium": (
        "The option had no price ({premium}): raise executor.chain.min_volume, so that such "
        "contracts are not compared."
    ),
    "zero_lots": (
        "A lot costs {cost_of_lot} and risks {risk_of_lot} rupees: raise the cap that is 0 "
        "(by_risk {by_risk}: executor.sizing.risk; by_cost {by_cost}: max_position; "
        "by_capital_at_risk {by_capital_at_risk}: limits.capital_at_risk) or "
        "executor.sizing.capital."
    ),
    "order_rejected": "See the broker's words at the order below, and the funds of the account.",
    "not_acted_on": "See whether an executor ran at that time: `/health/ready` of the executor.",
    "entry_not_filled": (
        "Raise executor.orders.limit_buffer or entry_timeout_ms: the price ran away from the limit."
    ),
}
"""Reason → what to change."""


def advice_on(reason: str, numbers: Mapping[str, float | str]) -> str:
    """Return what to change, with the numbers of the refusal; "" for a reason without one."""
    return ADVICE.get(reason, "").format_map(_Numbers(numbers))


class _Numbers(dict[str, str]):
    """Numbers as text; one that the refusal does not have is said so."""

    def __init__(self, numbers: Mapping[str, float | str]) -> None:
        super().__init__({name: number_text(value) for name, value in numbers.items()})

    def __missing__(self, name: str) -> str:
        return "?"


def number_text(value: float | str) -> str:
    """Return a number as a person writes it."""
    if isinstance(value, str):
        return value
    return f"{value:,.4f}".rstrip("0").rstrip(".")

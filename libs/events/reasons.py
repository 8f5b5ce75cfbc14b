"""What the reasons in events mean, in words."""

from collections.abc import Mapping

UNTRADED: Mapping[str, str] = {
    "disabled": "the mode is disabled: no signal is looked at",
    "logging_only": "the mode is logging_only: the decision was logged, nothing is traded",
    "test_symbol": "the symbol is one for tests",
    "stale": "the signal was too old",
    "duplicate": "the last signal in this direction is still open",
    "outside_the_windows": "signal.filters.windows do not name the time of day",
    "underlying_excluded": "signal.filters.excluded names the underlying",
    "signals_a_day": "as many signals of the symbol as allowed for the day",
    "underlying_not_allowed": "entry.underlyings does not name the underlying",
    "too_late_in_the_day": "no position is opened so late in the day",
    "low_confidence": "the strategy's confidence was below entry.min_confidence",
    "low_expected_move": "the expected move was below entry.min_expected_move",
    "kill_switch": "trading is halted",
    "quarantine": "the account differs from our books",
    "not_armed": "nobody has armed live trading for now: `alphastocks arm --until 15:30`",
    "no_session": "there is no session at the broker: `alphastocks login`",
    "mode_unfit": "the mode does not fit the account: `alphastocks mode live`, or other settings",
    "daily_loss": "the day's loss has reached its limit",
    "losses_in_a_row": "as many losses in a row as allowed",
    "trades_a_day": "as many trades as allowed for the day",
    "positions": "as many positions are open as allowed",
    "positions_per_underlying": "a position in this underlying is open",
    "capital_at_risk": "as much capital is at risk as allowed",
    "no_chain": "the underlying has no options to choose from",
    "expiry_is_near": "the options expire too soon (entry.before_expiry_ms)",
    "expiry_unknown": "the calendar knows no session on the options' expiry day",
    "calendar_ends": "the calendar ends before the options' expiry: no sessions are known for it",
    "no_calendar": "no calendar for that day: add it to your own rules (rules.folder)",
    "not_listed_today": "no options are listed for today: the listing is of another day",
    "more_expiries_needed": "the expiry wanted is not listed: raise ingest.universe.expiries",
    "settled_in_shares": "the option is settled in shares soon (entry.before_settlement_days)",
    "old_spot": "the underlying's price was too old (chain.index_budget_ms, quote_budget_ms)",
    "old_quotes": "the options' latest quotes were too old (chain.quote_budget_ms)",
    "expiry_is_over": "the options' expiry is over",
    "clock_off": "this machine's clock was more than 2 s off the exchange's",
    "feed_silent": "no connection of the feed brought ticks",
    "market_closed": "the exchange was closed",
    "closing_auction": "the closing auction did not take the order",
    "odd_lot": "the quantity was not in whole lots",
    "off_tick": "a price was not on the tick grid",
    "above_freeze": "the order was larger than the exchange takes as one",
    "outside_price_range": "the price was outside the exchange's limit price protection",
    "stop_gap": "the stop's limit was too far from its trigger",
    "ban_period": "the underlying was in a ban period: no position may grow",
    "product_over_night": "the product is not held over night: NRML is",
    "after_square_off": "the broker squares the product off by then",
    "margin_short": "the account had less than the margin that the order needs",
    "old_data": "what the order stands on was too old",
    "no_contract": "no option had the volume, open interest, spread and quote that are asked for",
    "no_premium": "the chosen option had no price",
    "zero_lots": "not one lot fits the capital, the risk and the limits",
    "order_rejected": "the broker rejected the order",
    "not_acted_on": "nobody acted on it in time",
    "entry_not_filled": "the order was not filled in time",
}
"""Why a signal was not traded."""

EXITS: Mapping[str, str] = {
    "stop_loss": "stop loss",
    "target": "target",
    "trailing_stop": "trailing stop",
    "square_off": "square-off",
    "expiry": "expiry",
    "holding_time": "holding time",
    "manual": "by hand",
    "kill_switch": "kill switch",
}
"""Why a position was closed."""


def in_words(reason: str) -> str:
    """Return what a reason means; one that is no code stays as it is."""
    return UNTRADED.get(reason) or EXITS.get(reason) or reason

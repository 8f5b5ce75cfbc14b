"""The executor's option market at the time of an entry: priced by the model, or as recorded."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from libs.market.arrays import FloatArray
from libs.market.calendar import Calendar
from libs.market.instruments import Instrument
from services.executor.domain.option_market import OptionMarket
from services.executor.domain.policy import Policy
from services.local.backtest.options.chains import Recording
from services.local.backtest.options.listing import SPOT_TOKEN, Listing, NotListed, spot_of
from services.local.backtest.options.model import Terms, bid_and_ask, mid
from services.local.backtest.options.rules import OptionRules
from services.local.backtest.trade import PricedBy


@dataclass(frozen=True, slots=True)
class Moment:
    """An underlying at the open of a candle: its name, day, time (epoch ms), price, volatility."""

    underlying: str
    day: date
    at_ms: int
    spot: float
    volatility: float


@dataclass(frozen=True, slots=True)
class Offer:
    """What can be bought at a moment, by which policy, and where the prices come from."""

    market: OptionMarket
    policy: Policy
    priced_by: PricedBy


def offer_by_model(
    moment: Moment, listing: Listing, rules: OptionRules, calendar: Calendar
) -> Offer:
    """Price the chain around the spot; raise NotListed if the rules or the past do not suffice.

    Volume and open interest are not modelled: all contracts have what the executor's filter asks.
    """
    contracts = listing.around(moment.underlying, moment.day, moment.spot)
    if np.isnan(moment.volatility):
        raise NotListed("volatility_unknown", moment.underlying, moment.day)
    market = _market(moment, contracts, rules.policy, calendar)
    tick_size = contracts[0].tick_size
    expiry = contracts[0].expiry or date.max
    terms = Terms(
        strike=np.array([one.strike for one in contracts]),
        is_call=np.array([one.instrument_type == "CE" for one in contracts]),
        expires_ms=market.closes_ms(contracts[0].exchange, expiry) or moment.at_ms,
        tick_size=tick_size,
        rate=rules.policy.chain.rate,
    )
    value = mid(terms, moment.spot, moment.at_ms, moment.volatility)
    bid, ask = bid_and_ask(value, tick_size, rules.model)
    per_rupee = float(1 / tick_size)
    enough = np.full(len(contracts), max(rules.policy.chain.min_volume, contracts[0].lot_size))
    market.quotes.update(
        [one.instrument_token for one in contracts],
        np.full(len(contracts), moment.at_ms),
        last_price=bid / per_rupee,
        volume=enough,
        oi=np.full(len(contracts), max(rules.policy.chain.min_oi, 1)),
        bid_price=bid / per_rupee,
        bid_quantity=enough,
        ask_price=ask / per_rupee,
        ask_quantity=enough,
    )
    return Offer(market, rules.policy, "model")


def offer_recorded(
    moment: Moment, recording: Recording, listing: Listing, rules: OptionRules, calendar: Calendar
) -> Offer | None:
    """Return the chain as last recorded before a moment, None if that is too old.

    Since snapshots are farther apart than ticks, they count for the longer of the executor's
    budget and the model's.
    """
    rows = recording.rows_at(moment.at_ms, rules.model.recorded_ms)
    if rows.start == rows.stop:
        return None
    expiries: list[date] = recording.expiry[rows].tolist()
    strikes = recording.strike[rows].tolist()
    quoted = set(zip(expiries, strikes, strict=True))
    contracts = listing.of_strikes(moment.underlying, moment.day, quoted)
    budget_ms = max(rules.policy.chain.quote_budget_ms, rules.model.recorded_ms)
    policy = replace(rules.policy, chain=replace(rules.policy.chain, quote_budget_ms=budget_ms))
    market = _market(moment, contracts, policy, calendar)
    _quote_rows(market, recording, rows, contracts)
    return Offer(market, policy, "recorded")


def _market(
    moment: Moment, contracts: Sequence[Instrument], policy: Policy, calendar: Calendar
) -> OptionMarket:
    market = OptionMarket(calendar, policy.chain.rate)
    market.list_all((*contracts, spot_of(moment.underlying)))
    market.quotes.update([SPOT_TOKEN], [moment.at_ms], last_price=[moment.spot])
    return market


def _quote_rows(
    market: OptionMarket, recording: Recording, rows: slice, contracts: Sequence[Instrument]
) -> None:
    """Quote what was recorded; volume and open interest become units."""
    tokens = {
        (one.expiry, one.strike, one.instrument_type == "CE"): one.instrument_token
        for one in contracts
    }
    keys = zip(
        recording.expiry[rows].tolist(),
        recording.strike[rows].tolist(),
        recording.is_call[rows].tolist(),
        strict=True,
    )
    known = [(at, tokens[key]) for at, key in enumerate(keys, rows.start) if key in tokens]
    at = np.array([row for row, _ in known])
    columns: dict[str, FloatArray] = {name: of[at] for name, of in recording.columns.items()}
    lot_size = contracts[0].lot_size
    columns |= {name: columns[name] * lot_size for name in ("volume", "oi")}
    market.quotes.update([token for _, token in known], recording.at_ms[at], **columns)

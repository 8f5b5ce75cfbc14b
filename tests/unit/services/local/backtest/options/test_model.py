"""Prices of the model, its volatility, and the executor's choice among them."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.signals import Action
from libs.market.calendar import load_calendar
from libs.market.instruments import by_contract
from libs.market.option_chain import chain_view
from libs.market.quotes import QuoteBook
from libs.market.rulebook import load_rulebook
from services.executor.domain.policy import (
    ChainFilter,
    LevelRules,
    Policy,
    RiskLimits,
    ScoreWeights,
    Sizing,
)
from services.executor.domain.selection import select
from services.local.backtest.errors import BacktestError
from services.local.backtest.options.listing import Listing
from services.local.backtest.options.model import bid_and_ask, volatility_by_candle
from services.local.backtest.options.rules import OptionRules, PriceModel
from services.local.backtest.options.trading import OptionTrades, option_trades
from services.local.backtest.result import BacktestRequest
from tests.proofs import examples
from tests.unit.services.local.backtest.options.builders import (
    DAY,
    at,
    cut,
    flat,
    history,
    random_history,
    signal,
    trading_days,
)
from tests.unit.services.local.backtest.options.plain import black, quoted

TICK = Decimal("0.05")
FIXED = PriceModel(volatility=0.15)


def traded(
    spot: float, policy: Policy, model: PriceModel = FIXED, capital: int = 1_000_000
) -> OptionTrades:
    candles = history({DAY: flat(spot)})
    request = BacktestRequest("ma_crossover", trades_in="options", capital=Decimal(capital))
    rules = OptionRules(policy=policy, model=model)
    signals = [signal(candles, 2)]
    return option_trades(request, [candles], signals, load_rulebook(), load_calendar(), rules=rules)


@given(
    value=st.floats(0, 5_000),
    spread=st.floats(0, 0.2),
    rupees=st.floats(0, 5),
)
def test_the_spread_is_at_least_the_stated_one_and_at_least_a_tick(
    value: float, spread: float, rupees: float
) -> None:
    model = PriceModel(spread=spread, spread_rupees=rupees)
    bids, asks = bid_and_ask(np.array([value]), TICK, model)
    bid, ask = int(bids[0]), int(asks[0])
    assert 1 <= bid < ask
    wanted = max(spread * value, rupees, 0.05)
    assert ask - bid >= wanted / 0.05 - 1e-6 or bid == 1
    assert bid == 1 or ask - bid <= wanted / 0.05 + 2 + 1e-6


def test_volatility_is_that_of_the_days_before_and_at_least_the_floor() -> None:
    days = trading_days(date(2024, 6, 3), 30)
    candles = random_history(7, days, 0.004)
    model = PriceModel()
    found = volatility_by_candle(candles, model).reshape(len(days), -1)
    closes = candles.close.reshape(len(days), -1)[:, -1]
    assert np.isnan(found[:6]).all()
    for day in range(6, len(days)):
        returns = np.diff(np.log(closes[:day]))[-20:]
        assert found[day] == pytest.approx(max(np.sqrt(np.mean(returns**2) * 250), 0.1), rel=1e-12)
    still = history({day: flat() for day in days})
    assert volatility_by_candle(still, model)[-1] == model.floor


def test_without_enough_days_before_a_signal_is_not_traded() -> None:
    made = traded(23_500.0, Policy(), PriceModel())
    assert (made.trades, made.refusals) == ((), {"volatility_unknown": 1})


@examples(10)
@given(spot=st.integers(2_300_000, 2_400_000), reach=st.integers(0, 3), put=st.booleans())
def test_the_contract_is_the_executors_choice_from_the_same_chain(
    spot: int, reach: int, put: bool
) -> None:
    chain = ChainFilter(strikes_from_atm=reach)
    price, entered = spot / 100, at(10, 0)
    candles = history({DAY: flat(price)})
    action: Action = "SELL" if put else "BUY"
    made = option_trades(
        BacktestRequest("ma_crossover", trades_in="options"),
        [candles],
        [signal(candles, 2, action)],
        load_rulebook(),
        load_calendar(),
        rules=OptionRules(policy=Policy(chain=chain), model=FIXED),
    )
    contracts = Listing(load_rulebook(), load_calendar(), chain).around("NIFTY", DAY, price)
    expires = at(15, 30, date(2024, 6, 20))
    years = (expires - entered) / (365 * 24 * 3600 * 1000)
    quotes = [
        quoted(black(price, one.strike, years, 0.15, one.instrument_type == "CE"))
        for one in contracts
    ]
    tokens = [one.instrument_token for one in contracts]
    book = QuoteBook(tokens)
    many = np.full(len(tokens), 1_000)
    bids, asks = ([pair[side] / 20 for pair in quotes] for side in (0, 1))
    book.update(tokens, np.full(len(tokens), entered), bids, many, many, bids, many, asks, many)
    view = chain_view(contracts, book, price, entered, expires)
    choice = select(view, by_contract(contracts), action, entered, chain, ScoreWeights())
    assert choice.chosen is not None
    assert [trade.tradingsymbol for trade in made.trades] == [choice.chosen.tradingsymbol]
    assert [float(trade.entry_price) for trade in made.trades] == [choice.chosen.ask_price]


def test_the_executors_settings_count() -> None:
    one_lot = traded(23_500.0, Policy(limits=RiskLimits(lots_a_trade=1)))
    assert [trade.quantity for trade in one_lot.trades] == [25]
    narrow = Policy(levels=LevelRules(stop=Decimal("0.05")))
    assert traded(23_500.0, narrow).trades[0].reason == "stop_loss"
    frugal = Policy(sizing=Sizing(risk=Decimal("0.0001"), max_position=Decimal("0.1")))
    assert traded(23_500.0, frugal).refusals == {"zero_lots": 1}
    tight = Policy(chain=replace(ChainFilter(), max_spread=0.001))
    assert traded(23_500.0, tight).refusals == {"no_contract": 1}


def test_the_backtests_capital_is_what_is_sized() -> None:
    assert traded(23_500.0, Policy()).trades[0].quantity == 125
    assert traded(23_500.0, Policy(), capital=100_000).trades[0].quantity == 75
    with pytest.raises(BacktestError, match="capital"):
        traded(23_500.0, Policy(), capital=1)


def test_a_wider_spread_costs_more() -> None:
    narrow = traded(23_500.0, Policy())
    wide = traded(23_500.0, Policy(), replace(FIXED, spread_rupees=4.0))
    assert wide.trades[0].entry_price > narrow.trades[0].entry_price
    assert wide.trades[0].exit_price < narrow.trades[0].exit_price


@pytest.mark.parametrize(
    "wrong",
    [
        {"volatility": 15.0},
        {"volatility": 0.0},
        {"volatility": float("nan")},
        {"spread": 5.0},
        {"spread": float("nan")},
        {"spread_rupees": -1.0},
        {"least_days": 30},
        {"least_days": 0},
        {"floor": -0.1},
        {"recorded_ms": -1},
        {"recorded_ms": 3_600_001},
    ],
)
def test_an_assumption_that_cannot_be_meant_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(BacktestError):
        PriceModel(**wrong)  # type: ignore[arg-type]  # one wrong value of each field


def test_a_history_without_candles_has_no_trades() -> None:
    made = option_trades(
        BacktestRequest("ma_crossover"),
        [cut(history({DAY: flat()}), 0)],
        [],
        load_rulebook(),
        load_calendar(),
    )
    assert (made.trades, made.marks, made.refused) == ((), (), {})


def test_signals_on_an_instrument_without_candles_are_refused() -> None:
    candles, other = history({DAY: flat()}), history({DAY: flat()}, "NIFTY BANK")
    with pytest.raises(BacktestError, match="NSE:NIFTY BANK"):
        option_trades(
            BacktestRequest("ma_crossover"),
            [candles],
            [signal(other, 2)],
            load_rulebook(),
            load_calendar(),
        )

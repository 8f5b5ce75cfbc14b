"""How long a decision takes, and the value of a chain within it.

A signal on a chain of 200 contracts, each with a new quote before every signal: from the signal in
to the plan of the order out, by the executor's domain, without the bus. Beside it stand the implied
volatilities and greeks of such a chain alone, per contract.
"""

import time
from datetime import date, datetime
from decimal import Decimal
from statistics import median

import numpy as np

from libs.events.event import identity, ms_from_utc, utc_from_ms
from libs.events.orders import OrderPlanned
from libs.events.signals import SignalGenerated
from libs.market.arrays import BoolArray, FloatArray
from libs.market.calendar import IST, load_calendar
from libs.market.greeks import greeks, implied_volatility, price, years_to
from libs.market.instruments import Instrument
from libs.market.rulebook import load_rulebook
from services.executor.domain.executor import OptionsExecutor
from services.executor.domain.option_market import OptionMarket
from services.executor.domain.policy import Policy
from services.executor.domain.risk import RiskBook

DAY, EXPIRY = date(2026, 6, 10), date(2026, 6, 16)
AT_MS = ms_from_utc(datetime(2026, 6, 10, 10, 30, tzinfo=IST))
SPOT, INDEX, STRIKES, STEP, RATE = 25_010.0, 256_265, 100, 50.0, 0.06
SIGNALS, SOLVED, TURNS = 400, 50, 21


def measure() -> dict[str, float]:
    """Return the median ms of a decision, and µs per contract of a chain's IV and greeks."""
    return {"decision_ms": _decision_ms(), "chain_iv_greeks_us_per_option": _chain_us()}


def _chain_us() -> float:
    strike, is_call = _columns()
    years = years_to(load_calendar().sessions("NFO", EXPIRY)[-1].close_ms, AT_MS)
    premium = _mids(strike, is_call, years)
    took = []
    for _ in range(TURNS):
        began = time.perf_counter()
        for _ in range(SOLVED):
            volatility = implied_volatility(premium, SPOT, strike, years, RATE, is_call)
            greeks(SPOT, strike, years, RATE, volatility, is_call)
        took.append((time.perf_counter() - began) / SOLVED / strike.size)
    return 1e6 * median(took)


def _decision_ms() -> float:
    executor, took = _executor(), []
    limits, capital = executor.policy.limits, executor.policy.sizing.capital
    for number in range(SIGNALS):
        at_ms = AT_MS + 1000 * number
        _quote(executor.market, at_ms)
        signal, executor.risk = _signal(number, at_ms), RiskBook(limits, capital)
        began = time.perf_counter()
        effects = executor.on_event(signal, at_ms)
        took.append(time.perf_counter() - began)
        if not any(isinstance(one, OrderPlanned) for one in effects):
            raise RuntimeError(f"signal {number} was not traded: {effects}")
    return 1e3 * median(took)


def _executor() -> OptionsExecutor:
    policy = Policy()
    market = OptionMarket(load_calendar(), policy.chain.rate)
    risk = RiskBook(policy.limits, policy.sizing.capital)
    executor = OptionsExecutor("paper", policy, market, load_rulebook(), risk)
    executor.market.list_all(_listed())
    return executor


def _listed() -> list[Instrument]:
    strike, is_call = _columns()
    rows = enumerate(zip(strike.tolist(), is_call.tolist(), strict=True), start=1)
    options = [_instrument(number << 8, k, "CE" if call else "PE") for number, (k, call) in rows]
    return [_instrument(INDEX, 0.0, "EQ"), *options]


def _instrument(token: int, strike: float, kind: str) -> Instrument:
    is_option = kind != "EQ"
    return Instrument(
        instrument_token=token,
        exchange_token=token >> 8,
        tradingsymbol=f"NIFTY26616{strike:g}{kind}" if is_option else "NIFTY 50",
        name="NIFTY" if is_option else "NIFTY 50",
        last_price=0.0,
        expiry=EXPIRY if is_option else None,
        strike=strike,
        tick_size=Decimal("0.05"),
        lot_size=65 if is_option else 1,
        instrument_type=kind,
        segment="NFO-OPT" if is_option else "INDICES",
        exchange="NFO" if is_option else "NSE",
    )


def _columns() -> tuple[FloatArray, BoolArray]:
    strike = 25_000 + STEP * (np.repeat(np.arange(STRIKES), 2) - STRIKES // 2)
    return np.asarray(strike, np.float64), np.arange(2 * STRIKES) % 2 == 0


def _mids(strike: FloatArray, is_call: BoolArray, years: float) -> FloatArray:
    """Values at a smile, in ticks of 0.05, as a market quotes them."""
    smile = 0.12 + 0.3 * np.abs(np.log(strike / SPOT))
    value = price(SPOT, strike, years, RATE, smile, is_call)
    return np.asarray(np.maximum(np.round(value / 0.05) * 0.05, 0.10), np.float64)


def _quote(market: OptionMarket, at_ms: int) -> None:
    strike, is_call = _columns()
    years = years_to(load_calendar().sessions("NFO", EXPIRY)[-1].close_ms, at_ms)
    mid = _mids(strike, is_call, years)
    tokens = np.arange(1, 2 * STRIKES + 1) << 8
    stamps, many = np.full(tokens.size, at_ms), np.full(tokens.size, 50_000)
    market.quotes.update(tokens, stamps, mid, many, many, mid - 0.05, many, mid + 0.05, many)
    market.quotes.update([INDEX], [at_ms], [SPOT])


def _signal(number: int, at_ms: int) -> SignalGenerated:
    closed = utc_from_ms(at_ms)
    return SignalGenerated(
        event_id=identity("bench signal", number),
        occurred_at=closed,
        trading_day=DAY,
        correlation_id=identity("bench", number),
        strategy="bench",
        strategy_version="1",
        parameters={},
        exchange="NSE",
        tradingsymbol="NIFTY 50",
        underlying="NIFTY",
        interval="15m",
        candle_opened_at=utc_from_ms(at_ms - 900_000),
        candle_closed_at=closed,
        action="BUY" if number % 2 else "SELL",
        price=SPOT,
        stop_loss=SPOT - 250 if number % 2 else SPOT + 250,
        target=SPOT + 500 if number % 2 else SPOT - 500,
        confidence=0.85,
        expected_move=2.0,
        indicators={},
    )

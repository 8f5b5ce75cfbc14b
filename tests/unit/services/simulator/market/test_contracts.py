from dataclasses import replace
from datetime import date

import pytest

from libs.market.calendar import Calendar
from libs.market.instruments import Instrument
from libs.market.rulebook import Rulebook
from services.simulator.domain.market.chain import SyntheticChain
from services.simulator.domain.market.contracts import ChainRules, strikes_around, with_tokens
from services.simulator.domain.market.synthetic import SyntheticMarket
from services.simulator.domain.market.underlyings import DEFAULT_UNIVERSE, UnderlyingSpec

DAY = date(2026, 6, 10)


@pytest.fixture
def rules(rulebook: Rulebook, calendar: Calendar) -> ChainRules:
    return ChainRules(DAY, rulebook, calendar)


def contracts_of(market: SyntheticMarket, name: str) -> list[Instrument]:
    return [contract for contract in market.contracts if contract.name == name]


def test_contracts_are_named_by_the_rule_of_kite(market: SyntheticMarket) -> None:
    symbols = {contract.tradingsymbol for contract in market.contracts}
    assert {"NIFTY2661625300CE", "BANKNIFTY26JUN57000PE", "RELIANCE26JUN1400CE"} <= symbols


def test_lots_come_from_the_rulebook(market: SyntheticMarket) -> None:
    lots = {
        name: {c.lot_size for c in contracts_of(market, name)} for name in ("NIFTY", "BANKNIFTY")
    }
    assert lots == {"NIFTY": {65}, "BANKNIFTY": {30}}


def test_each_underlying_has_its_two_nearest_expiries(market: SyntheticMarket) -> None:
    expiries = {contract.expiry for contract in contracts_of(market, "NIFTY")}
    assert expiries == {date(2026, 6, 16), date(2026, 6, 23)}


def test_a_stock_the_rulebook_does_not_know_has_a_plausible_contract(rules: ChainRules) -> None:
    known = rules.expiries("RELIANCE", 2)
    assert rules.expiries("ZOMATO", 2) == known
    assert rules.strike_step("ZOMATO", 250.0) == 2.5
    lot = rules.lot_size("ZOMATO", known[0].date, 250.0)
    assert lot % 25 == 0
    assert lot * 250.0 == pytest.approx(750_000, rel=0.05)


def test_an_expiry_beyond_the_calendar_closes_at_the_usual_hour(
    rulebook: Rulebook, calendar: Calendar
) -> None:
    day = date(2026, 12, 30)
    rules = ChainRules(day, rulebook, calendar)
    assert rules.closes_ms(date(2027, 1, 5)) - rules.closes_ms(day) == 6 * 24 * 3_600_000


def test_strikes_reach_beyond_a_large_move_of_the_day() -> None:
    strikes = strikes_around(25_120.0, 50.0, 0.12, each_side=8)
    assert 25_100.0 in strikes
    assert strikes == sorted(set(strikes))
    move = 2 * 0.12 / 250**0.5 * 25_120
    assert min(strikes) < 25_120 - move
    assert max(strikes) > 25_120 + move


def test_strikes_of_a_cheap_stock_stay_above_zero() -> None:
    assert min(strikes_around(3.0, 1.0, 0.3, each_side=8)) == 1.0


def test_tokens_are_unique_and_carry_the_segment(market: SyntheticMarket) -> None:
    tokens = [instrument.instrument_token for instrument in market.instruments]
    assert len(set(tokens)) == len(tokens)
    assert all(contract.instrument_token & 0xFF == 2 for contract in market.contracts)
    assert all(c.instrument_token == c.exchange_token * 256 + 2 for c in market.contracts)
    assert max(tokens) < 2**32


def test_exchange_tokens_of_options_never_meet_those_of_the_cash_segment(
    market: SyntheticMarket,
) -> None:
    assert min(contract.exchange_token for contract in market.contracts) >= 2**23


def test_tokens_do_not_depend_on_the_order_of_the_listing(market: SyntheticMarket) -> None:
    bare = [replace(contract, instrument_token=0) for contract in market.contracts]
    assert list(reversed(with_tokens(bare[::-1]))) == list(market.contracts)


def test_symbols_with_one_hash_get_different_tokens(
    market: SyntheticMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "services.simulator.domain.market.contracts.stable_hash", lambda *_: 2**23 - 1
    )
    some = with_tokens(market.contracts[:5])
    assert len({contract.instrument_token for contract in some}) == 5


def test_a_contract_has_the_same_token_whatever_else_is_listed(
    stock: UnderlyingSpec, market: SyntheticMarket, rulebook: Rulebook, calendar: Calendar
) -> None:
    alone = SyntheticChain(
        7, DAY, [stock.instrument()], {"RELIANCE": 1_400.0}, rulebook, calendar
    ).contracts
    tokens = {contract.tradingsymbol: contract.instrument_token for contract in market.contracts}
    assert all(tokens.get(c.tradingsymbol, c.instrument_token) == c.instrument_token for c in alone)


def test_underlyings_have_the_tokens_of_nse() -> None:
    tokens = {spec.tradingsymbol: spec.instrument_token for spec in DEFAULT_UNIVERSE}
    assert tokens["NIFTY 50"] == 256265
    assert tokens["NIFTY BANK"] == 260105
    assert tokens["RELIANCE"] == 738561

"""The settings of the universe: one list of underlyings, and asset classes beside it."""

import tomllib

import pytest
from pydantic import ValidationError

from services.ingest.domain.universe_rules import UNDERLYINGS, UniverseRules
from services.ingest.settings import IngestSettings


def rules_of(text: str) -> UniverseRules:
    return IngestSettings.model_validate(tomllib.loads(text)).universe


def test_a_list_of_underlyings_is_enough_and_follows_nothing_else() -> None:
    rules = rules_of('universe = { underlyings = ["NSE:SBIN"], expiries = 3, near_strikes = 4 }')
    assert rules == UniverseRules(("NSE:SBIN",), 3, 4)
    assert rules.exchanges == ("NSE", "NFO")
    assert rules.quoted == ("NSE:SBIN",)


def test_an_asset_class_is_added_to_the_usual_underlyings() -> None:
    rules = rules_of('[universe.futures]\nnames = ["NIFTY", "SENSEX"]\nroll_days = 2')
    assert rules.underlyings == UNDERLYINGS
    assert rules.futures.names == ("NFO:NIFTY", "BFO:SENSEX")
    assert rules.exchanges == ("NSE", "BFO", "NFO")


def test_commodities_alone_are_a_universe() -> None:
    rules = rules_of('[universe]\nunderlyings = []\n[universe.commodity]\nnames = ["MCX:crudeoil"]')
    assert rules.commodity.names == ("CRUDEOIL",)
    assert rules.exchanges == ("MCX",)


@pytest.mark.parametrize(
    ("text", "exchanges"),
    [
        ('equity = { names = ["BSE:TCS"] }', ("BSE",)),
        ('equity = { rule = "with_options" }', ("NSE", "NFO")),
        ('equity = { rule = "all" }', ("NSE",)),
        ('index = { rule = "all" }', ("NSE",)),
        ('futures = { names = ["NSE:SBIN", "NIFTY 50"] }', ("NFO",)),
        ('futures = { rule = "all" }', ("NFO",)),
        ('options = { names = ["BFO:SENSEX26JUN80000CE"] }', ("BFO",)),
        ('commodity = { rule = "all" }', ("MCX",)),
    ],
)
def test_the_dumps_and_hours_are_those_of_what_is_followed(
    text: str, exchanges: tuple[str, ...]
) -> None:
    assert rules_of(f"[universe]\nunderlyings = []\n{text}").exchanges == exchanges


def test_futures_of_the_underlyings_are_found_at_the_exchange_of_each() -> None:
    rules = rules_of(
        '[universe]\nunderlyings = ["BSE:SENSEX", "NSE:NIFTY BANK"]\nfutures.rule = "underlyings"'
    )
    assert rules.future_keys == (("BFO", "SENSEX"), ("NFO", "BANKNIFTY"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("underlyings = []", "none is named, so nothing would be followed"),
        ('underlyings = ["MCX:GOLD"]', "no underlying; name it in universe.commodity"),
        ('futures = { names = ["MCX:GOLD"] }', "name commodities in universe.commodity"),
        ('futures = { names = ["NIFTY", "NIFTY 50"] }', "'NFO:NIFTY' is named twice"),
        ('futures = { names = ["NIFTTY"] }', "did you mean 'NIFTY'"),
        ('futures = { names = ["CDS:USDINR"] }', "no exchange is called 'CDS'"),
        ('futures = { rule = "every" }', "'every' is not known; known: none, underlyings, all"),
        ("futures = { months = 0 }", "from 1 to 12"),
        ('equity = { mode = "half" }', "'half' is not known; known: ltp, quote, full"),
        ('equity = { names = ["SBIN"] }', "write 'NSE:SBIN'"),
        ('options = { names = ["NSE:NIFTY"] }', "no exchange of contracts is called 'NSE'"),
        ('commodity = { names = ["NFO:GOLD"] }', "no commodity of MCX; write 'CRUDEOIL'"),
        ('commodity = { kind = "gold" }', "kind"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_what_to_write(text: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        rules_of(f"[universe]\n{text}")

from decimal import Decimal
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from libs.market.bounds import Unit
from libs.market.names import known_underlying, nearest, underlyings, unknown
from libs.market.units import (
    Count,
    Fraction,
    Milliseconds,
    Number,
    Percent,
    Rupees,
    Seconds,
    span_text,
)


def refusal(unit: Unit, value: object, source: type = Decimal) -> str:
    """Return the line that refuses a value."""
    hint: Any = Annotated[source, unit]
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(hint).validate_python(value)
    return str(refused.value.errors(include_url=False)[0]["msg"])


@pytest.mark.parametrize(
    ("unit", "bounds"),
    [
        (Fraction(0, 1), "from 0 to 1"),
        (Fraction(0, "0.2", above=True), "above 0, up to 0.2"),
        (Fraction("0.01", 1, below=True), "from 0.01, below 1"),
        (Rupees(1000, 10**10), "from ₹1,000 to ₹10,00,00,00,000"),
        (Count(1, 10_000, of="lots"), "from 1 to 10,000"),
        (Milliseconds(500, 90_000), "from 500 to 90000 (1 min 30 s)"),
        (Percent("0.05", 100, or_zero=True), "from 0.05 to 100, or 0"),
    ],
)
def test_bounds_are_written_in_the_unit(unit: Unit, bounds: str) -> None:
    assert unit.bounds == bounds


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1500, "1.5 s"),
        (60_000, "1 min"),
        (5_400_000, "1 h 30 min"),
        (86_461_000, "24 h 1 min 1 s"),
    ],
)
def test_a_length_of_time_is_written_in_words(milliseconds: int, text: str) -> None:
    assert span_text(milliseconds) == text


@pytest.mark.parametrize(
    ("unit", "source", "value", "said"),
    [
        (Fraction(0, 1), Decimal, "1E+40", "1e+40 is out of all bounds; a fraction from 0"),
        (Fraction(0, 1), float, 250, "250 means 25000 %; a fraction from 0 to 1 is wanted"),
        (Fraction(0, 1), float, "2%", "'2%': write 0.02 for 2 %"),
        (
            Fraction(0, 1, below=True),
            Decimal,
            1,
            '1 means 100 %; a fraction is wanted: write "0.01"',
        ),
        (Percent("0.05", 9, or_zero=True), float, 0.02, "write 2 for 2 %"),
        (Percent("0.05", 9, or_zero=True), float, -1, "a number of percent from 0.05 to 9, or 0"),
        (Fraction(0, 1), Decimal, True, "a fraction from 0 to 1 is wanted, not true or false"),
        (Rupees(1000, 10**10), Decimal, "₹ 1,50,000", 'write "150000" for ₹1,50,000'),
        (Rupees(1000, 10**10), Decimal, "2 cr", 'write "20000000" for ₹2,00,00,000'),
        (Rupees(1000, 10**10), Decimal, "5 kg", "'5 kg' is no plain number; an amount in rupees"),
        (Count(1, 9, of="lots"), int, 2.5, "2.5 is no whole number; a number of lots from 1 to 9"),
        (Count(1, 9, of="lots"), int, float("nan"), "nan is no number"),
        (Count(1, 9, of="lots"), int, 10, "10 is too large; a number of lots"),
        (Number(1, 65_535), int, 0, "0 is too small; a number from 1 to 65535 is wanted"),
        (Seconds(1, 60), int, 90_000, "90000 means 25 h; a number of seconds from 1 to 60"),
        (Seconds(1, 60), int, 30_000, "write 30 for 30 s"),
        (Seconds(1, 60), int, "1500 ms", "'1500 ms' is no plain number"),
        (Milliseconds(1000, 60_000), int, "0.5 min", "'0.5 min': write 30000 for 30 s"),
        (Milliseconds(60_000, 21_600_000), int, 90, "write 5400000 for 1 h 30 min"),
        (Milliseconds(60_000, 21_600_000), int, 5400, "write 5400000 for 1 h 30 min"),
        (Milliseconds(60_000, 21_600_000), int, 30_000, "from 60000 (1 min) to 21600000"),
    ],
)
def test_a_wrong_value_is_explained(unit: Unit, source: type, value: object, said: str) -> None:
    assert said in refusal(unit, value, source)


@pytest.mark.parametrize("value", ["hunter2", "s3cr3t, 5", {"password": "x"}, ["7"]])
def test_text_that_is_no_number_is_not_repeated(value: object) -> None:
    assert refusal(Fraction(0, 1), value) == "a fraction from 0 to 1 is wanted"


@given(st.decimals(allow_nan=True, allow_infinity=True) | st.floats() | st.integers() | st.text())
def test_whatever_the_value_it_is_held_to_the_bounds_or_refused_in_one_line(value: object) -> None:
    unit = Fraction(0, "0.5", above=True)
    hint: Any = Annotated[Decimal, unit]
    try:
        accepted = TypeAdapter(hint).validate_python(value)
    except ValidationError as error:
        line = error.errors(include_url=False)[0]["msg"]
        assert "\n" not in line
        return
    assert 0 < accepted <= Decimal("0.5")


def test_the_nearest_known_name_is_found_in_any_case() -> None:
    assert nearest("Relianse", underlyings()) == "RELIANCE"
    assert nearest("something else", ["NRML", "MIS"]) is None
    assert unknown("x", ["a", "b"], "broker") == "no broker is called 'x'; known: a, b"
    assert unknown("paprika", [f"paper{n}" for n in range(20)]).count("paper") <= 1


@pytest.mark.parametrize("name", ["NIFTY", "NSE:NIFTY BANK", "bajaj_auto", "SENSEX", "TATAMOTORS"])
def test_an_underlying_is_known_in_any_of_its_spellings(name: str) -> None:
    assert known_underlying(name) == name


@pytest.mark.parametrize("name", ["LENSKART", "GROWW", "MEESHO", "TATACAP"])
def test_an_underlying_that_was_listed_later_is_accepted(name: str) -> None:
    assert name not in underlyings()
    assert known_underlying(name) == name


@pytest.mark.parametrize(
    ("name", "meant"),
    [("NIFTI", "NIFTY"), ("Relianse", "RELIANCE"), ("NSE:NIFTI", "NIFTY")],
)
def test_a_slip_in_a_known_name_is_refused(name: str, meant: str) -> None:
    with pytest.raises(PydanticCustomError, match=f"did you mean '{meant}'"):
        known_underlying(name)

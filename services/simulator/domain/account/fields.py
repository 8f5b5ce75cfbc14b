"""Reading of single form fields, with Kite's words for what cannot be read."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from services.simulator.domain.errors import InputError


def required(fields: Mapping[str, str], name: str) -> str:
    """Return a field that must be there; raises InputError."""
    value = fields.get(name, "")
    if not value:
        raise InputError(f"Missing or empty field `{name}`")
    return value


def one_of(fields: Mapping[str, str], name: str, known: tuple[str, ...]) -> str:
    """Return a required field that is one of the known words; raises InputError."""
    value = required(fields, name)
    if value not in known:
        raise InputError(f"Invalid `{name}`. It should be one of {', '.join(known)}.")
    return value


def read_count(fields: Mapping[str, str], name: str) -> int:
    """Return a required whole number, not negative; raises InputError."""
    value = str(required(fields, name))
    if not (value.isascii() and value.isdigit()):
        raise InputError(f"Invalid request (failed to decode {name}, got: {value})")
    return int(value)


def read_amount(fields: Mapping[str, str], name: str) -> Decimal:
    """Return a required decimal number; raises InputError."""
    value = str(required(fields, name))
    try:
        amount = Decimal(value)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise InputError(
            f"Invalid request (failed to decode {name}, got: {value} (expected decimal))"
        )
    return amount

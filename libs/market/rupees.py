"""Amounts of money as they are written in India."""

from decimal import ROUND_HALF_UP, Context, Decimal

_EXACT = Context(prec=400)
"""Enough digits for any float."""


def rupees(amount: Decimal | float, paise: bool = True) -> str:
    """Return an amount in groups of lakh and crore: ₹12,34,567.50; -₹1,234.00 below zero.

    Without `paise` it is rounded to whole rupees, half up. ValueError for nan and infinity.
    """
    exact = amount if isinstance(amount, Decimal) else Decimal(str(amount))
    if not exact.is_finite():
        raise ValueError(f"{amount} is no amount of money")
    step = Decimal("0.01") if paise else Decimal(1)
    rounded = exact.quantize(step, ROUND_HALF_UP, _EXACT)
    whole, point, fraction = f"{abs(rounded):f}".partition(".")
    return f"{'-' if rounded < 0 else ''}₹{_grouped(whole)}{point}{fraction}"


def _grouped(digits: str) -> str:
    """Return digits in groups: three at the end, two before them."""
    head, tail = digits[:-3], digits[-3:]
    pairs = [head[max(end - 2, 0) : end] for end in range(len(head), 0, -2)]
    return ",".join((*reversed(pairs), tail))

"""Which strike a profile wants: the best scored one, or the nearest to a number."""

from typing import Annotated, Literal

from pydantic.dataclasses import dataclass

from libs.market.bounds import STRICT, refuse
from libs.market.names import OneOf
from libs.market.units import Number

ChosenBy = Literal["score", "moneyness", "strikes", "delta", "premium"]
_BOUNDS: dict[ChosenBy, tuple[float, float, str]] = {
    "moneyness": (-5, 5, "percent of the forward in the money, negative out of it"),
    "strikes": (-20, 20, "strikes in the money, negative out of it"),
    "delta": (0.01, 0.99, "a delta without its sign"),
    "premium": (0.1, 100_000, "rupees"),
}
_WITHIN: dict[ChosenBy, float] = {"moneyness": 2, "strikes": 2, "delta": 0.1, "premium": 0.3}
"""How far off the choice may be: listed strikes, delta, a fraction of the wanted premium."""


@dataclass(frozen=True, slots=True, config=STRICT)
class StrikeChoice:
    """`by`: score; moneyness (percent of the forward), strikes, delta, premium (rupees).

    `wanted`: what is wanted of it, in the money above 0. Of several the nearest contract to each
    is looked at, and the best scored one of these is bought. `within`: how far the contract may
    be off: listed strikes (2) by moneyness and strikes, delta (0.1), or a fraction of the wanted
    premium (0.3).
    """

    by: Annotated[ChosenBy, OneOf()] = "score"
    wanted: tuple[Annotated[float, Number(-100_000, 100_000)], ...] = ()
    within: Annotated[float, Number(0, 50)] | None = None

    def __post_init__(self) -> None:
        if self.by == "score":
            if self.wanted or self.within is not None:
                refuse("by", "score wants no number: leave out wanted and within")
            return
        least, most, meaning = _BOUNDS[self.by]
        if not self.wanted:
            refuse("wanted", f"nothing is wanted: write [{self._example}], {meaning}")
        for one in self.wanted:
            if not least <= one <= most or (self.by == "strikes" and one % 1):
                refuse("wanted", f"{one:g} is not within {least:g} to {most:g}, {meaning}")

    @property
    def reach(self) -> float:
        """How far the chosen contract may be off; not of score."""
        return _WITHIN[self.by] if self.within is None else self.within

    @property
    def _example(self) -> str:
        return {"moneyness": "0.5", "strikes": "1", "delta": "0.4"}.get(self.by, "100")

    def __str__(self) -> str:
        if self.by == "score":
            return "score"
        wanted = " or ".join(f"{one:g}" for one in self.wanted)
        return f"{self.by} {wanted}"

"""The instruments that are followed on a day, what of them at a moment, and in which mode."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from types import MappingProxyType

from libs.broker.port.market import Mode
from libs.errors import AlphaStocksError
from libs.market.calendar import load_calendar
from libs.market.instruments import Instrument
from services.ingest.domain.day_listing import DayListing
from services.ingest.domain.selection import Chosen, Missing, Selection
from services.ingest.domain.universe_rules import UniverseRules

_RICHNESS: Mapping[Mode, int] = {"ltp": 0, "quote": 1, "full": 2}


class UniverseError(AlphaStocksError):
    """A universe of which nothing is in the dump, or one that is too large."""


class Universe:
    """What the rules choose of the day's dumps.

    What the dumps do not hold is `missing`, the rest is followed; UniverseError if nothing is left.
    `without_options` are those of which the dumps list no option. `before`: tokens by key of the
    day before, to find a share that was renamed.
    """

    def __init__(
        self,
        dump: Sequence[Instrument],
        rules: UniverseRules,
        on: date,
        before: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        selection = Selection(DayListing(dump), rules, on, load_calendar(), before)
        selection.choose()
        self.missing = tuple(selection.missing)
        self.without_options = tuple(selection.without_options)
        self._chains = tuple(selection.chains)
        self._always = _richest(selection.chosen)
        if not self._always:
            raise UniverseError(_nothing_left(self.missing))
        self.options = _options(self._always, selection)
        _refuse_too_large(len(self._always), sum(one.most for one in self._chains), rules.most)

    @property
    def underlyings(self) -> tuple[Instrument, ...]:
        """The underlyings that are named, whose options are followed."""
        return self.of("underlying")

    @property
    def followed(self) -> tuple[Instrument, ...]:
        """All that is always followed and no option: underlyings, shares, indices, futures."""
        return tuple(o.instrument for o in self._always.values() if not o.instrument.is_option)

    @property
    def with_candles(self) -> tuple[Instrument, ...]:
        """Those of `followed` whose ticks have the exchange's time: history is fetched of them."""
        return tuple(
            one for one in self.followed if self._always[one.instrument_token].mode == "full"
        )

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """What is followed, then options."""
        return (*self.followed, *self.options)

    @property
    def underlying_tokens(self) -> frozenset[int]:
        """Tokens of what options are centred on: underlyings, and futures of MCX."""
        centres = (chain.underlying for chain in self._chains)
        return frozenset(one.instrument_token for one in (*self.underlyings, *centres))

    @property
    def spot_keys(self) -> Mapping[int, str]:
        """Token → exchange:tradingsymbol of what options are centred on."""
        return {one.underlying.instrument_token: one.underlying.key for one in self._chains}

    def of(self, asset_class: str) -> tuple[Instrument, ...]:
        """Return what is always followed of an asset class."""
        return tuple(o.instrument for o in self._always.values() if o.asset_class == asset_class)

    def near(self, spots: Mapping[int, float]) -> set[int]:
        """Tokens of the options near the money; of an underlying without a spot (0) none."""
        return set(self._near_modes(spots))

    def wanted(self, spots: Mapping[int, float], held: Collection[int]) -> frozenset[int]:
        """Tokens to subscribe to: what is always followed, options near the money, what is held."""
        return frozenset(self.modes(spots, held))

    def modes(self, spots: Mapping[int, float], held: Collection[int]) -> dict[int, Mode]:
        """Return the mode of each token to subscribe to; what is held is followed in full."""
        always = {token: chosen.mode for token, chosen in self._always.items()}
        modes = self._near_modes(spots)
        for token, mode in always.items():
            modes[token] = _richer(mode, modes.get(token, mode))
        return modes | dict.fromkeys(held, "full")

    def _near_modes(self, spots: Mapping[int, float]) -> dict[int, Mode]:
        return {
            token: chain.mode
            for chain in self._chains
            if (spot := spots.get(chain.underlying.instrument_token, 0.0)) > 0
            for token in chain.near(spot)
        }


def _richest(chosen: Sequence[Chosen]) -> dict[int, Chosen]:
    """Return what was chosen by token; of an instrument of two classes the first, richest mode."""
    found: dict[int, Chosen] = {}
    for one in chosen:
        first = found.setdefault(one.instrument.instrument_token, one)
        mode = _richer(first.mode, one.mode)
        found[one.instrument.instrument_token] = first._replace(mode=mode)
    return found


def _richer(one: Mode, other: Mode) -> Mode:
    return max(one, other, key=_RICHNESS.__getitem__)


def _options(always: Mapping[int, Chosen], selection: Selection) -> tuple[Instrument, ...]:
    """Return the options of the chains, then those that are named besides."""
    listed = {one.instrument_token: one for chain in selection.chains for one in chain.contracts}
    named = (one.instrument for one in always.values() if one.instrument.is_option)
    return tuple((listed | {one.instrument_token: one for one in named}).values())


def _nothing_left(missing: Sequence[Missing]) -> str:
    return f"ingest.universe: nothing can be followed: {'; '.join(one.reason for one in missing)}"


def _refuse_too_large(always: int, near: int, most: int) -> None:
    if always + near > most:
        raise UniverseError(
            f"ingest.universe: {always + near} instruments are more than its most, {most}: "
            "name fewer underlyings, expiries or strikes"
        )

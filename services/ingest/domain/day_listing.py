"""The day's dumps by kind: what has no expiry, futures by name, options by exchange."""

from collections.abc import Mapping, Sequence
from datetime import date

from libs.market.instruments import Catalog, Instrument, underlying_name
from libs.market.names import nearest

_NO_CATALOG = Catalog()


class DayListing:
    """What the broker lists on a day."""

    def __init__(self, dump: Sequence[Instrument]) -> None:
        self.spots = Catalog(one for one in dump if one.expiry is None)
        self._contracts = {one.key: one for one in dump if one.expiry is not None}
        self._options = {
            exchange: Catalog(one for one in dump if one.is_option and one.exchange == exchange)
            for exchange in {one.exchange for one in dump if one.is_option}
        }
        self._futures: dict[tuple[str, str], dict[date, Instrument]] = {}
        for one in dump:
            if one.instrument_type == "FUT" and one.expiry is not None:
                self._futures.setdefault((one.exchange, one.name), {})[one.expiry] = one

    def find(self, key: str) -> Instrument | None:
        """Return the instrument of exchange:tradingsymbol, or None."""
        exchange, _, tradingsymbol = key.partition(":")
        return self.spots.find(exchange, tradingsymbol) or self._contracts.get(key)

    def options(self, exchange: str) -> Catalog:
        """Return the options of an exchange."""
        return self._options.get(exchange, _NO_CATALOG)

    def futures(self, exchange: str, name: str) -> Mapping[date, Instrument]:
        """Return the futures of an underlying by expiry; none for an unknown one."""
        return self._futures.get((exchange, name), {})

    def future_names(self, exchange: str) -> list[str]:
        """Return the names of an exchange's futures."""
        return sorted(name for listed_at, name in self._futures if listed_at == exchange)

    def near_name(self, exchange: str, name: str) -> str:
        """Return the name of a future that was probably meant, to be said after a missing one."""
        meant = nearest(name, self.future_names(exchange))
        return f"; did you mean {meant!r}?" if meant else ""

    def absence(self, key: str, token_before: int | None = None) -> str:
        """Return a line that a key is not listed, with the one that was probably meant.

        `token_before` is the token of the day before: a renamed share keeps it.
        """
        renamed = None if token_before is None else self.spots.by_token(token_before)
        where = f"; it is listed as {renamed.key!r} now" if renamed else self._meant(key)
        return f"{key} is not in the instrument dump of the day{where}"

    def _meant(self, key: str) -> str:
        """Return the key that was probably meant: of the same underlying, or the nearest name."""
        own = [one.key for one in self.spots]
        same = (one for one in own if underlying_name(one) == underlying_name(key))
        meant = next(same, None) or nearest(key, own)
        return f"; did you mean {meant!r}?" if meant else ""

"""Quotes of all listed options at any second of a day, from any prices of their underlyings.

A quote is a function of seed, contract, second and spot alone: it does not depend on which other
contracts or times are asked for. Fair values are Black-76 on the spot grown at `surface.RATE`.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray

from libs.events.ticks import TickColumns
from libs.market.arrays import FloatArray
from libs.market.calendar import Calendar
from libs.market.greeks import price
from libs.market.instruments import Instrument
from libs.market.rulebook import Rulebook
from services.simulator.domain.market.contract_table import (
    ContractTable,
    Rows,
    contract_groups,
    contract_table,
)
from services.simulator.domain.market.contracts import ChainRules, OpenUnderlying, list_contracts
from services.simulator.domain.market.option_quotes import quote_columns
from services.simulator.domain.market.session_shape import session_shape
from services.simulator.domain.market.surface import (
    RATE,
    default_volatility,
    implied_volatility,
    volatility_surface,
)

Spots = Mapping[str, float] | FloatArray


class SyntheticChain:
    """Option contracts of a day's underlyings and their quotes.

    `reference_prices` are the spots at the open by tradingsymbol, around which strikes are listed;
    `base_volatilities` the usual implied volatilities, drawn from the seed where not given.
    """

    def __init__(
        self,
        seed: int,
        trading_day: date,
        underlyings: Sequence[Instrument],
        reference_prices: Mapping[str, float],
        rulebook: Rulebook,
        calendar: Calendar,
        strikes_each_side: int = 8,
        expiry_count: int = 2,
        base_volatilities: Mapping[str, float] | None = None,
    ) -> None:
        rules = ChainRules(trading_day, rulebook, calendar)
        opened = _opened(seed, underlyings, reference_prices, base_volatilities or {})
        listed = list_contracts(rules, opened, strikes_each_side, expiry_count)
        groups = contract_groups(rules, opened, listed)
        self._contracts = tuple(one.contract for one in listed)
        self._reference = np.array([underlying.reference for underlying in opened])
        self._symbols = tuple(underlying.instrument.tradingsymbol for underlying in opened)
        self._group_underlying = groups.underlying
        self._surface = volatility_surface(seed, groups.smiles)
        self._table = contract_table(seed, rules, opened, listed, groups)
        self._per_rupee = np.array([float(1 / one.tick_size) for one in self._contracts])
        self._shape = session_shape(calendar.sessions("NFO", trading_day))
        self._row_of = {c.instrument_token: row for row, c in enumerate(self._contracts)}
        self._last_rows = b""
        self._last_chosen = self._table, self._per_rupee

    @property
    def contracts(self) -> tuple[Instrument, ...]:
        """All contracts by underlying, expiry, strike and type; rows are places in it."""
        return self._contracts

    @property
    def symbols(self) -> tuple[str, ...]:
        """Tradingsymbols of the underlyings, sorted: the order of spots given as an array."""
        return self._symbols

    def rows(self, instrument_tokens: Iterable[int]) -> NDArray[np.intp]:
        """Rows of contracts by their tokens; raises KeyError for a token not listed."""
        return np.array([self._row_of[token] for token in instrument_tokens], np.intp)

    def near_the_money(self, spots: Spots, strikes_each_side: int) -> NDArray[np.intp]:
        """Rows of the contracts within so many strikes of the money at the spots."""
        reach = (strikes_each_side + 0.5) * self._table.strike_step
        distance = np.abs(self._table.values[0] - self._spots(spots)[self._table.underlying])
        return np.flatnonzero(distance <= reach)

    def quotes(self, spots: Spots, at_ms: int, rows: Rows | None = None) -> TickColumns:
        """Quotes at a time (epoch ms) of the contracts of the rows, or of all.

        `spots` by tradingsymbol (the reference price where one is missing), or an array in the
        order of `symbols`.
        """
        table, per_rupee = self._chosen(rows)
        fair = self._fair(table, self._spots(spots), at_ms)
        passed = self._shape.volume_passed_at(at_ms)
        return quote_columns(table, fair * per_rupee, passed, at_ms, per_rupee)

    def _chosen(self, rows: Rows | None) -> tuple[ContractTable, FloatArray]:
        """Contracts of the rows and their ticks in a rupee; the same rows come again and again."""
        if rows is None:
            return self._table, self._per_rupee
        key = rows.tobytes()
        if key != self._last_rows:
            self._last_rows = key
            self._last_chosen = self._table.take(rows), self._per_rupee[rows]
        return self._last_chosen

    def fair_values(self, spots: Spots, at_ms: int) -> FloatArray:
        """Unrounded premiums in rupees of all contracts."""
        return self._fair(self._table, self._spots(spots), at_ms)

    def _spots(self, spots: Spots) -> FloatArray:
        if isinstance(spots, np.ndarray):
            return spots
        known = zip(self._symbols, self._reference.tolist(), strict=True)
        return np.array([spots.get(symbol, reference) for symbol, reference in known])

    def _fair(self, table: ContractTable, spots: FloatArray, at_ms: int) -> FloatArray:
        terms = self._surface.terms(spots[self._group_underlying], at_ms)[:, table.group]
        volatility = implied_volatility(terms, table.values[1])
        years, forward = terms[0], terms[1]
        return price(forward, table.values[0], years, RATE, volatility, table.is_call)


def _opened(
    seed: int,
    underlyings: Iterable[Instrument],
    reference_prices: Mapping[str, float],
    volatilities: Mapping[str, float],
) -> list[OpenUnderlying]:
    """Underlyings with their opening prices, by tradingsymbol whatever the order given."""
    return [
        OpenUnderlying(
            instrument=underlying,
            reference=reference_prices[underlying.tradingsymbol],
            base_volatility=volatilities.get(underlying.tradingsymbol)
            or default_volatility(seed, underlying.tradingsymbol, underlying.is_index),
        )
        for underlying in sorted(underlyings, key=lambda one: one.tradingsymbol)
    ]

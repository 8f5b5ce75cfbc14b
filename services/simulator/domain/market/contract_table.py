"""The contracts of a day in columns: what the quotes need and what does not change in the day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from libs.market.arrays import BoolArray, FloatArray, IntArray
from services.simulator.domain.market.contracts import ChainRules, Listed, OpenUnderlying
from services.simulator.domain.market.liquidity import INDEX_LIQUIDITY, STOCK_LIQUIDITY, liquidity
from services.simulator.domain.market.randomness import HashArray, stable_hash
from services.simulator.domain.market.surface import SmileGroup

Rows = NDArray[np.intp] | BoolArray

_TRADING_DAY_YEARS = 1 / 250
_MS_PER_YEAR = 365 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True, eq=False)
class ContractTable:
    """One element, or one column of `values`, per contract.

    `group` numbers the underlying's expiries, `underlying` the underlyings; `values` has the rows
    strike, its logarithm and those of `liquidity`; `keys` seed the noise.
    """

    instrument_token: NDArray[np.uint32]
    keys: HashArray
    group: NDArray[np.intp]
    underlying: NDArray[np.intp]
    is_call: BoolArray
    lot_size: IntArray
    strike_step: FloatArray
    values: FloatArray

    def take(self, rows: Rows) -> "ContractTable":
        """Return the contracts chosen by an index array or a mask."""
        index = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return ContractTable(
            instrument_token=self.instrument_token.take(index),
            keys=self.keys.take(index),
            group=self.group.take(index),
            underlying=self.underlying.take(index),
            is_call=self.is_call.take(index),
            lot_size=self.lot_size.take(index),
            strike_step=self.strike_step.take(index),
            values=self.values.take(index, axis=1),
        )


@dataclass(frozen=True, slots=True, eq=False)
class ContractGroups:
    """Expiries of underlyings: each one's smile, and the place of its underlying."""

    smiles: tuple[SmileGroup, ...]
    underlying: NDArray[np.intp]
    number: NDArray[np.intp]


def contract_groups(
    rules: ChainRules, underlyings: Sequence[OpenUnderlying], listed: Sequence[Listed]
) -> ContractGroups:
    """Number the expiries of all underlyings; `number` has one element per contract."""
    pairs = {(one.underlying, one.contract.expiry or date.max): None for one in listed}
    numbers = {pair: number for number, pair in enumerate(pairs)}
    return ContractGroups(
        smiles=tuple(_smile(rules, underlyings[place], expiry) for place, expiry in pairs),
        underlying=np.array([place for place, _ in pairs], np.intp),
        number=np.array([numbers[o.underlying, o.contract.expiry or date.max] for o in listed]),
    )


def _smile(rules: ChainRules, underlying: OpenUnderlying, expiry: date) -> SmileGroup:
    instrument = underlying.instrument
    return SmileGroup(
        tradingsymbol=instrument.tradingsymbol,
        is_index=instrument.is_index,
        expires_ms=rules.closes_ms(expiry),
        base_volatility=underlying.base_volatility,
    )


def contract_table(
    seed: int,
    rules: ChainRules,
    underlyings: Sequence[OpenUnderlying],
    listed: Sequence[Listed],
    groups: ContractGroups,
) -> ContractTable:
    """Put the contracts into columns and draw their liquidity."""
    contracts = [one.contract for one in listed]
    keys = [stable_hash(seed, "quotes", c.tradingsymbol, rules.trading_day) for c in contracts]
    strike = np.array([contract.strike for contract in contracts])
    drawn = _liquidity(rules, underlyings, listed, groups, np.array(keys, np.uint64))
    return ContractTable(
        instrument_token=np.array([c.instrument_token for c in contracts], np.uint32),
        keys=np.array(keys, np.uint64),
        group=groups.number,
        underlying=groups.underlying[groups.number],
        is_call=np.array([contract.instrument_type == "CE" for contract in contracts]),
        lot_size=np.array([contract.lot_size for contract in contracts], np.int64),
        strike_step=np.array([one.strike_step for one in listed]),
        values=np.vstack((strike, np.log(strike), drawn)),
    )


def _liquidity(
    rules: ChainRules,
    underlyings: Sequence[OpenUnderlying],
    listed: Sequence[Listed],
    groups: ContractGroups,
    keys: HashArray,
) -> FloatArray:
    owners = [underlyings[one.underlying] for one in listed]
    classes = [INDEX_LIQUIDITY if o.instrument.is_index else STOCK_LIQUIDITY for o in owners]
    rank = np.array([one.expiry_rank for one in listed], np.float64)
    strike = np.array([one.contract.strike for one in listed])
    reference = np.array([owner.reference for owner in owners])
    deviation = _deviations(rules, groups)[groups.number]
    sign = np.array([1 if one.contract.instrument_type == "CE" else -1 for one in listed])
    return liquidity(keys, classes, rank, sign * np.log(strike / reference) / deviation)


def _deviations(rules: ChainRules, groups: ContractGroups) -> FloatArray:
    """Standard deviation of each group's underlying from the trading day's close to expiry."""
    close_ms = rules.closes_ms(rules.trading_day)
    years = np.array([(smile.expires_ms - close_ms) / _MS_PER_YEAR for smile in groups.smiles])
    volatility = np.array([smile.base_volatility for smile in groups.smiles])
    return np.asarray(volatility * np.sqrt(years + _TRADING_DAY_YEARS), np.float64)

"""Which connection carries which partition of the ticks."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from libs.errors import AlphaStocksError
from libs.market.instruments import partition_of

ROOM = 100
"""So many instruments a connection has room for: options are re-centred, positions opened."""


class SpreadError(AlphaStocksError):
    """More instruments than the connections take."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Partition → connection, fixed for a day, so that a partition has one clock.

    All instruments of a partition are on one connection: what that brings late is not overtaken.
    """

    connection_of_partition: tuple[int, ...]

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return max(self.connection_of_partition) + 1

    def connection_of(self, instrument_token: int) -> int:
        """Return the connection of an instrument."""
        partitions = len(self.connection_of_partition)
        return self.connection_of_partition[partition_of(instrument_token, partitions)]

    def partitions_of(self, connection: int) -> tuple[int, ...]:
        """Return the partitions of a connection."""
        of = enumerate(self.connection_of_partition)
        return tuple(partition for partition, number in of if number == connection)


def spread(
    instrument_tokens: Collection[int], partitions: int, connections: int, most: int
) -> Spread:
    """Return the partitions balanced over as few connections as leave ROOM on each.

    At most `connections` of `most` instruments; SpreadError if they do not fit.
    """
    sizes = Counter(partition_of(token, partitions) for token in instrument_tokens)
    for count in range(1, connections + 1):
        found, largest = _balanced(sizes, partitions, count)
        if largest <= (most if count == connections else most - ROOM):
            return found
    raise SpreadError(_too_many(len(instrument_tokens), partitions, connections, most, largest))


def _balanced(sizes: Counter[int], partitions: int, connections: int) -> tuple[Spread, int]:
    """Give the largest partitions out first, each to the connection that has the least."""
    loads, taken = [0] * connections, [0] * partitions
    for partition in sorted(range(partitions), key=lambda one: (-sizes[one], one)):
        taken[partition] = loads.index(min(loads))
        loads[taken[partition]] += sizes[partition]
    return Spread(tuple(taken)), max(loads)


def _too_many(total: int, partitions: int, connections: int, most: int, largest: int) -> str:
    said = f"ingest: {total:,} instruments do not fit {connections} connections of {most:,}"
    if total > connections * most:
        return f"{said}: follow fewer, or set ingest.connections to more if the broker allows it"
    return (
        f"{said}: the {partitions} partitions of ticks stay whole, so that one would have "
        f"{largest:,}; more partitions are divided more evenly (bus.market_partitions)"
    )

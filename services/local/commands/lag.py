"""`alphastocks lag`: how many messages each consumer group is behind."""

from collections.abc import Iterable

from rich.table import Table

from libs.events.kafka.admin import GroupStanding
from libs.market.rupees import grouped


def lag_table(standings: Iterable[GroupStanding]) -> Table:
    """Return a row for each group and topic, highlighted if there is a lag."""
    table = Table("group", "topic", "partitions", "committed", "end", "lag")
    for column in table.columns[2:]:
        column.justify = "right"
    for standing in standings:
        for topic in sorted({place.topic for place in standing.committed}):
            table.add_row(*_row(standing, topic), style="yellow" if standing.lag(topic) else "")
    return table


def _row(standing: GroupStanding, topic: str) -> tuple[str, ...]:
    places = [place for place in standing.committed if place.topic == topic]
    numbers = (
        len(places),
        sum(standing.committed[place] for place in places),
        sum(standing.ends[place] for place in places),
        standing.lag(topic),
    )
    return standing.group, topic, *(grouped(number) for number in numbers)

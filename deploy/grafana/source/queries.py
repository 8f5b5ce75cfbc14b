"""Queries, as Grafana has them: PromQL to Prometheus, SQL to ClickHouse's plugin."""

from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders.prometheus import Dataquery as PrometheusQuery
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

PROMETHEUS = DataSourceRef(type_val="prometheus", uid="prometheus")
CLICKHOUSE = DataSourceRef(type_val="grafana-clickhouse-datasource", uid="clickhouse")


@dataclass(frozen=True, slots=True)
class Prom(Builder[Dataquery]):
    """PromQL, over time or `now`: what is gone is then shown as none, not as it was last."""

    expr: str
    legend: str = ""
    now: bool = False
    is_table: bool = False

    def build(self) -> Dataquery:
        """Return it as Grafana has it."""
        query = PrometheusQuery().datasource(PROMETHEUS).expr(tidy(self.expr))
        query = query.legend_format(self.legend or "__auto")
        query = query.instant() if self.now else query.range()
        if self.is_table:
            query = query.format(PromQueryFormat.TABLE)
        return query.build()


class SqlTarget(Dataquery):
    """A query as the ClickHouse plugin reads it; `format` is its older name for the type."""

    def __init__(self, sql: str, is_series: bool) -> None:
        self.sql, self.is_series, self.ref_id = sql, is_series, ""

    def to_json(self) -> dict[str, object]:
        """Return what stands in the dashboard."""
        return {
            "datasource": CLICKHOUSE,
            "editorType": "sql",
            "format": 0 if self.is_series else 1,
            "queryType": "timeseries" if self.is_series else "table",
            "rawSql": self.sql,
            "refId": self.ref_id,
        }


SHARED = {
    # Each row is the whole state: the last one of a position says what it is now.
    "@last": """(
        SELECT * FROM positions FINAL WHERE @of_the_day
        ORDER BY type = 'PositionClosed' DESC, occurred_at DESC LIMIT 1 BY position_id)""",
    "@closed": "(SELECT * FROM positions FINAL WHERE type = 'PositionClosed' AND @of_the_day)",
    # In the order in which they can follow each other: the furthest is where a thing stands.
    "@states": "['NEW', 'VALIDATED', 'LOGGED', 'ACTIVATED', 'REJECTED', 'EXPIRED', 'STOPPED',\n"
    "'COMPLETED']",
    "@steps": "['OrderPlanned', 'OrderPlaced', 'OrderUnresolved', 'OrderFilled',\n"
    "'OrderCancelled', 'OrderRejected']",
    "@of_the_day": "trading_day = toDateOrZero('${trading_day}')",
}
"""What queries have in common; the day is the one that is chosen above the dashboard."""


@dataclass(frozen=True, slots=True)
class Sql(Builder[Dataquery]):
    """SQL; a series has a column `time`, then maybe one that names the line, then values."""

    text: str
    is_series: bool = False

    def build(self) -> SqlTarget:
        """Return it as Grafana has it."""
        text = self.text
        for name, meaning in SHARED.items():
            text = text.replace(name, meaning)
        return SqlTarget(tidy(text), self.is_series)


Query = Prom | Sql


@dataclass(frozen=True, slots=True)
class Numbered(Builder[Dataquery]):
    """A query with its letter in the panel."""

    query: Query
    letter: str

    def build(self) -> Dataquery:
        """Return it as Grafana has it."""
        built: Any = self.query.build()
        built.ref_id = self.letter
        target: Dataquery = built
        return target


def tidy(text: str) -> str:
    """Return a text without the indentation that it has in the source."""
    lines = [line.strip() for line in text.strip().splitlines()]
    return "\n".join(lines)

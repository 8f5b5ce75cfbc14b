"""Dashboards: rows of panels, and the frame around them."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import (
    AnnotationQuery,
    DashboardCursorSync,
    DashboardLinkType,
    VariableRefresh,
)
from grafana_foundation_sdk.models.dashboard import Dashboard as DashboardModel
from grafana_foundation_sdk.models.dashboard import Panel as PanelModel

from deploy.grafana.source.queries import CLICKHOUSE, PROMETHEUS, tidy

TAG = "alphastocks"
PAGES = 'sum by (alertname, service) (ALERTS{alertstate="firing", severity="page"})'
DAYS = """
SELECT DISTINCT toString(trading_day) AS day FROM historical_data
WHERE source = 'live' ORDER BY day DESC LIMIT 100
"""
"""The trading days that can be chosen, newest first."""


@dataclass(frozen=True, slots=True)
class Row:
    """Panels below a heading."""

    title: str
    panels: Sequence[Builder[PanelModel]]


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard: its file's name, what it is for, and its rows."""

    name: str
    title: str
    description: str
    rows: Sequence[Row]
    since: str = "now-1h"
    by_day: bool = False

    def build(self) -> DashboardModel:
        """Return it as Grafana has it."""
        board = (
            dashboard.Dashboard(f"AlphaStocks: {self.title}")
            .uid(f"{TAG}-{self.name}")
            .description(self.description)
            .tags([TAG])
            .timezone("Asia/Kolkata")
            .time(self.since, "now")
            .refresh("10s")
            .readonly()
            .tooltip(DashboardCursorSync.CROSSHAIR)
            .link(_others())
            .annotation(_Marks())
        )
        if self.by_day:
            board.with_variable(_trading_day())
        for row in self.rows:
            board.with_row(dashboard.Row(row.title))
            for panel in row.panels:
                board.with_panel(panel)
        return _numbered(board.build())


def _numbered(board: DashboardModel) -> DashboardModel:
    taken = {panel.id_val for panel in board.panels or ()}
    free = iter(number for number in range(1, 10_000) if number not in taken)
    for panel in board.panels or ():
        if not panel.id_val:
            panel.id_val = next(free)
    return board


def _others() -> dashboard.DashboardLink:
    link = dashboard.DashboardLink("Dashboards").type(DashboardLinkType.DASHBOARDS)
    return link.tags([TAG]).keep_time(True).include_vars(True)


class PagesMarked(AnnotationQuery):
    """Marks on every graph when a page fired, and which."""

    def __init__(self) -> None:
        super().__init__(name="Pages", datasource=PROMETHEUS, icon_color="red", expr=PAGES)

    def to_json(self) -> dict[str, object]:
        """Return what stands in the dashboard; the SDK does not know of the title."""
        return {**super().to_json(), "titleFormat": "{{alertname}}", "tagKeys": "service"}


class _Marks(Builder[AnnotationQuery]):
    def build(self) -> AnnotationQuery:
        return PagesMarked()


def _trading_day() -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable("trading_day")
        .label("Trading day")
        .description("The session's date in India. A simulated day lies in the past.")
        .datasource(CLICKHOUSE)
        .query(tidy(DAYS))
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    )

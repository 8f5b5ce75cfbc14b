"""Panels with a house look."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from grafana_foundation_sdk.builders import common, dashboard
from grafana_foundation_sdk.builders.barchart import Panel as BarChart
from grafana_foundation_sdk.builders.bargauge import Panel as BarGauge
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.statetimeline import Panel as StateTimeline
from grafana_foundation_sdk.builders.table import Panel as Table
from grafana_foundation_sdk.builders.timeseries import Panel as Timeseries
from grafana_foundation_sdk.models import common as models
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)

from deploy.grafana.source.queries import CLICKHOUSE, PROMETHEUS, Numbered, Prom, Query, Sql
from deploy.grafana.source.runbook import path_of

GREEN, YELLOW, RED, BLUE, GREY = "green", "yellow", "red", "blue", "text"

Steps = Sequence[tuple[float | None, str]]
"""From which value on which colour; the first has no value."""
GAIN: Steps = ((None, RED), (0, GREEN))
NONE_IS_GOOD: Steps = ((None, GREEN), (1, RED))
ALL_IS_GOOD: Steps = ((None, RED), (1, GREEN))
PLAIN: Steps = ((None, GREY),)
Names = Mapping[str, tuple[str, str]]
"""Value → its text and colour."""
YES_NO: Names = {"0": ("no", GREY), "1": ("yes", GREEN)}


@dataclass(frozen=True, slots=True)
class Look:
    """How values are shown: unit, limits that colour them, names; and the alerts they belong to."""

    unit: str = "short"
    steps: Steps = PLAIN
    names: Names | None = None
    alerts: Sequence[str] = ()
    decimals: int | None = None
    least: float | None = None
    most: float | None = None
    nothing: str = "–"


P = TypeVar("P", Stat, Timeseries, Table, BarGauge, BarChart, StateTimeline)


def _panel(panel: P, title: str, why: str, queries: Sequence[Query], look: Look) -> P:
    source = PROMETHEUS if isinstance(queries[0], Prom) else CLICKHOUSE
    panel.title(title).description(why).datasource(source).unit(look.unit).no_value(look.nothing)
    panel.targets([Numbered(query, chr(65 + n)) for n, query in enumerate(queries)])
    panel.thresholds(_thresholds(look.steps)).links([_entry(alert) for alert in look.alerts])
    if look.names:
        panel.mappings([_mapping(look.names)])
    if look.decimals is not None:
        panel.decimals(look.decimals)
    if look.least is not None:
        panel.min(look.least)
    if look.most is not None:
        panel.max(look.most)
    return panel


def stat(title: str, why: str, *queries: Query, look: Look, by_name: bool = False) -> Stat:
    """Return one number of now, coloured by its limits; `by_name` shows the legend instead."""
    panel = _panel(Stat(), title, why, _now(queries), look).span(4).height(4)
    panel.graph_mode(models.BigValueGraphMode.NONE)
    panel.color_mode(
        models.BigValueColorMode.VALUE
        if look.steps == PLAIN
        else models.BigValueColorMode.BACKGROUND
    )
    if by_name:
        panel.text_mode(models.BigValueTextMode.NAME)
    return panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))


def word(title: str, why: str, query: Sql, look: Look) -> Stat:
    """Return one text: a stat leaves texts out unless it is told which columns to take."""
    fields = common.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields("/.*/")
    return stat(title, why, query, look=look).reduce_options(fields)


def lines(title: str, why: str, *queries: Query, look: Look, stacked: bool = False) -> Timeseries:
    """Return lines over time; limits are dashed lines."""
    panel = _panel(Timeseries(), title, why, queries, look).span(12).height(8)
    panel.line_width(1).fill_opacity(10).show_points(models.VisibilityMode.AUTO).span_nulls(False)
    panel.color_scheme(_colour(FieldColorModeId.PALETTE_CLASSIC))
    panel.tooltip(
        common.VizTooltipOptions()
        .mode(models.TooltipDisplayMode.MULTI)
        .sort(models.SortOrder.DESCENDING)
    )
    panel.legend(
        common.VizLegendOptions()
        .display_mode(models.LegendDisplayMode.LIST)
        .placement(models.LegendPlacement.BOTTOM)
        .show_legend(True)
        .calcs([])
    )
    if stacked:
        panel.stacking(common.StackingConfig().mode(models.StackingMode.NORMAL).group("A"))
    if look.steps != PLAIN:
        style = common.GraphThresholdsStyleConfig().mode(models.GraphThresholdsStyleMode.DASHED)
        panel.thresholds_style(style)
    return panel


def states(title: str, why: str, *queries: Query, look: Look) -> StateTimeline:
    """Return bands that change colour with the state."""
    panel = _panel(StateTimeline(), title, why, queries, look).span(12).height(8)
    panel.merge_values(True).show_value(models.VisibilityMode.NEVER).row_height(0.8)
    return panel.color_scheme(_colour(FieldColorModeId.THRESHOLDS))


def gauges(title: str, why: str, *queries: Query, look: Look) -> BarGauge:
    """Return a bar per value of now, from `least` to `most`."""
    panel = _panel(BarGauge(), title, why, _now(queries), look).span(8).height(6)
    panel.display_mode(models.BarGaugeDisplayMode.BASIC)
    panel.orientation(models.VizOrientation.HORIZONTAL)
    return panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))


def bars(title: str, why: str, query: Sql, look: Look, is_upright: bool = False) -> BarChart:
    """Return a bar for each row: its first column names it."""
    panel = _panel(BarChart(), title, why, [query], look).span(8).height(8)
    standing, lying = models.VizOrientation.VERTICAL, models.VizOrientation.HORIZONTAL
    panel.orientation(standing if is_upright else lying)
    panel.show_value(models.VisibilityMode.ALWAYS)
    panel.legend(common.VizLegendOptions().show_legend(False).calcs([]))
    return panel.color_scheme(_colour(FieldColorModeId.THRESHOLDS))


@dataclass(frozen=True, slots=True)
class Column:
    """How one column of a table is shown."""

    name: str
    unit: str = "short"
    decimals: int | None = None
    steps: Steps | None = None
    names: Names | None = None


def table(title: str, why: str, query: Query, *columns: Column, look: Look | None = None) -> Table:
    """Return rows as they come; `columns` says which have a unit or colours."""
    panel = _panel(Table(), title, why, [query], look or Look()).span(24).height(9)
    panel.cell_height(models.TableCellHeight.SM).filterable(True)
    for column in columns:
        panel.override_by_name(column.name, list(_properties(column)))
    return panel


def _properties(column: Column) -> Iterable[DynamicConfigValue]:
    yield DynamicConfigValue("unit", column.unit)
    if column.decimals is not None:
        yield DynamicConfigValue("decimals", column.decimals)
    if column.steps is not None:
        yield DynamicConfigValue("thresholds", _thresholds(column.steps).build())
    if column.names is not None:
        yield DynamicConfigValue("mappings", [_mapping(column.names)])
    if column.steps is not None or column.names is not None:
        yield DynamicConfigValue("custom.cellOptions", {"type": "color-text"})


def without(panel: Table, *columns: str, renamed: Mapping[str, str] | None = None) -> Table:
    """Leave columns of a table out, and give others a name that people read."""
    for column in columns:
        panel.override_by_name(column, [DynamicConfigValue("custom.hidden", True)])
    for column, name in (renamed or {}).items():
        panel.override_by_name(column, [DynamicConfigValue("displayName", name)])
    return panel


def linked(panel: Table, column: str, title: str, url: str) -> Table:
    """Make the values of a column lead somewhere."""
    link = {"title": title, "url": url, "targetBlank": True}
    return panel.override_by_name(column, [DynamicConfigValue("links", [link])])


def _now(queries: Iterable[Query]) -> list[Query]:
    return [replace(one, now=True) if isinstance(one, Prom) else one for one in queries]


def _thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    made = [Threshold(value=value, color=colour) for value, colour in steps]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(made)


def _colour(mode: FieldColorModeId) -> dashboard.FieldColor:
    return dashboard.FieldColor().mode(mode)


def _mapping(names: Names) -> ValueMap:
    return ValueMap(
        {
            value: ValueMappingResult(text=text, color=colour, index=index)
            for index, (value, (text, colour)) in enumerate(names.items())
        }
    )


def _entry(alert: str) -> dashboard.DashboardLink:
    link = dashboard.DashboardLink(f"Runbook: {alert}").type(DashboardLinkType.LINK)
    return link.url(path_of(alert)).target_blank(True)

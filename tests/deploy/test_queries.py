"""Every query of every dashboard and alert, asked of a real Prometheus and a real ClickHouse."""

import re
from collections.abc import Iterator

import pytest

from libs.servers.clickhouse.server import find_program
from libs.store.errors import ServerMissing
from services.local.catalogue import NAMES
from tests.deploy.observability import Query, alerts, dashboards, queries
from tests.deploy.observed_day import ObservedDay, observed_day
from tests.prometheus_server import why_none

PANEL_QUERIES = [
    query for query in (*queries("promql"), *queries("sql")) if not query.where.startswith("alert ")
]
NOTHING_IN_A_SOUND_RUN = {
    "health: Dead letters A": "every message can be handled",
}
"""Queries that find nothing as long as nothing goes wrong: what they find would be a finding."""
MAY_BE_NOTHING = {
    "execution: Why orders ended without a fill A": "a stop at rest is cancelled before an exit",
    "health: Retries A": "retries depend on how busy the machine is",
    "overview: Alerts A": "a short run need not last as long as an alert waits",
} | {f"{name}: annotation Pages": "nothing deserves a page in a sound run" for name in dashboards()}
"""Queries that may find nothing, and why that says nothing against them."""
UNSEEN_METRICS = {"alphastocks_dead_letters_total": "its first sample is the first dead letter"}
"""Metrics of alerts that a sound run does not show."""
METRIC = re.compile(r"\b(?:alphastocks_\w+|up\b|ClickHouse\w+|prometheus_\w+)(?:\{[^}]*\})?")
SHOWN = re.compile(
    r"(Nullable\()?(U?Int\d+|Float64|Decimal\(\d+, \d+\)|DateTime(\('UTC'\))?)\)?"
    r"|String|LowCardinality\(String\)"
)
UNSEEN_LABELS = {
    'alphastocks_kite_request_seconds_count{outcome!="ok"}': "the simulator answers every request",
}
"""Selectors of alerts that a sound run does not show."""


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObservedDay]:
    try:
        find_program()
    except ServerMissing as error:
        pytest.skip(str(error))
    if reason := why_none():
        pytest.skip(reason)
    with observed_day(tmp_path_factory.mktemp("observed")) as observed:
        yield observed


@pytest.mark.parametrize("query", PANEL_QUERIES, ids=str)
def test_a_query_of_a_dashboard_finds_something(query: Query, day: ObservedDay) -> None:
    found = day.answer(query)
    if query.where in NOTHING_IN_A_SOUND_RUN:
        assert not found, NOTHING_IN_A_SOUND_RUN[query.where]
    elif query.where not in MAY_BE_NOTHING:
        assert found, query.text


@pytest.mark.parametrize("query", queries("sql"), ids=str)
def test_columns_are_of_kinds_that_grafana_shows_as_meant(query: Query, day: ObservedDay) -> None:
    columns = day.columns(query.text)
    times = {name for name, kind in columns.items() if "Date" in kind}
    assert times <= {"time"}, "a date would be shown with a time of the day"
    assert {kind for kind in columns.values() if not SHOWN.fullmatch(kind)} == set()


def test_only_queries_that_exist_are_excused() -> None:
    excused = NOTHING_IN_A_SOUND_RUN.keys() | MAY_BE_NOTHING.keys()
    assert excused <= {query.where for query in PANEL_QUERIES}


@pytest.mark.parametrize("alert", alerts())
def test_the_expression_of_an_alert_can_be_asked_and_knows_only_what_there_is(
    alert: str, day: ObservedDay
) -> None:
    expression = alerts()[alert]["expr"]
    day.over_time(expression)
    for selector in METRIC.findall(expression):
        name = selector.partition("{")[0]
        if name not in UNSEEN_METRICS and selector not in UNSEEN_LABELS:
            assert day.over_time(selector), selector


def test_prometheus_evaluates_every_rule_without_an_error(day: ObservedDay) -> None:
    groups = day.prometheus.asked("rules", type="alert")["groups"]
    seen = {rule["name"]: rule for group in groups for rule in group["rules"]}
    assert seen.keys() == alerts().keys()
    assert {rule["lastError"] for rule in seen.values() if "lastError" in rule} == set()
    assert {rule["health"] for rule in seen.values()} == {"ok"}


def test_prometheus_has_every_target_and_each_is_up(day: ObservedDay) -> None:
    up = {
        (one["metric"]["job"], one["metric"].get("service")): one["value"][1]
        for one in day.now("up")
    }
    expected: set[tuple[str, str | None]] = {("alphastocks", name) for name in NAMES}
    expected |= {("clickhouse", None), ("prometheus", None)}
    assert up == dict.fromkeys(expected, "1")


def test_metrics_and_tables_tell_the_same_of_the_day(day: ObservedDay) -> None:
    texts = {query.where: query.text for query in PANEL_QUERIES}
    ((net,),) = day.rows(texts["positions: Net A"])
    assert day.number("sum(alphastocks_realised_pnl_rupees)") == pytest.approx(float(net))
    held = day.rows(texts["positions: Open positions A"])
    assert day.number(texts["positions: Open now A"]) == len(held) > 0
    assert day.number(texts["overview: Market A"]) == 1
    assert day.now(texts["overview: Mode A"])[0]["metric"]["mode"] == "paper"


def test_the_days_to_choose_from_begin_with_the_newest(day: ObservedDay) -> None:
    (choice,) = {query.text for query in PANEL_QUERIES if "variable trading_day" in query.where}
    assert day.rows(choice) == [("2025-10-21",)]

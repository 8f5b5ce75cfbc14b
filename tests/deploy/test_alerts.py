"""Alert rules: accepted by Prometheus, each tried, each with an entry in the runbook."""

import re
from pathlib import Path

import pytest
import yaml

from deploy.grafana.source.runbook import entries, path_of
from tests.deploy.observability import PROMETHEUS, ROOT, RULE_TESTS, RULES, RUNBOOK, alerts, anchors
from tests.prometheus_server import promtool, why_none

GRAFANA = "http://localhost:3000"
SEVERITIES = {"page", "warn", "info"}


@pytest.fixture
def _promtool() -> None:
    if reason := why_none():
        pytest.skip(reason)


@pytest.mark.usefixtures("_promtool")
def test_prometheus_accepts_the_rules() -> None:
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.usefixtures("_promtool")
def test_prometheus_accepts_the_configuration(tmp_path: Path) -> None:
    written = (PROMETHEUS / "prometheus.yml").read_text()
    config = tmp_path / "prometheus.yml"
    config.write_text(written.replace("/etc/prometheus/rules/*.yml", str(RULES)))
    done = promtool("check", "config", config)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(alerts())} rules found" in done.stdout


@pytest.mark.usefixtures("_promtool")
@pytest.mark.parametrize("file", RULE_TESTS, ids=lambda file: file.stem)
def test_every_alert_fires_when_it_should_and_is_silent_otherwise(file: Path) -> None:
    done = promtool("test", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", alerts())
def test_an_alert_is_tried_both_ways(alert: str) -> None:
    tried = [
        bool(case["exp_samples"])
        for file in RULE_TESTS
        for test in yaml.safe_load(file.read_text())["tests"]
        for case in test["promql_expr_test"]
        if _asks_for(case["expr"], alert)
    ]
    assert set(tried) == {True, False}


def _asks_for(expression: str, alert: str) -> bool:
    """Return whether the alert is one of those whose state an expression asks for."""
    matchers = re.findall(r'alertname(=~|!=|=)"([^"]+)"', expression)
    if any(operator == "!=" for operator, _ in matchers):
        return True
    return any(re.fullmatch(pattern, alert) for _, pattern in matchers)


@pytest.mark.parametrize("alert", alerts())
def test_an_alert_says_how_grave_it_is_what_happens_and_where_to_read_on(alert: str) -> None:
    rule = alerts()[alert]
    assert set(rule["labels"]) == {"severity"}
    assert rule["labels"]["severity"] in SEVERITIES
    assert rule["annotations"].keys() == {"summary", "description", "runbook", "runbook_url"}
    assert rule["annotations"]["summary"].endswith(".")


@pytest.mark.parametrize("alert", alerts())
def test_an_alert_leads_to_its_entry_on_the_page_and_in_grafana(alert: str) -> None:
    annotations = alerts()[alert]["annotations"]
    page, _, anchor = annotations["runbook"].partition("#")
    assert ROOT / page == RUNBOOK
    assert anchor == alert.lower()
    assert anchor in anchors(RUNBOOK)
    assert annotations["runbook_url"] == GRAFANA + path_of(alert)


def test_the_runbook_has_an_entry_for_each_alert_and_for_nothing_else() -> None:
    assert list(entries()) == list(alerts())


@pytest.mark.parametrize("alert", alerts())
def test_an_entry_says_first_what_to_do_then_why_where_to_look_and_when_it_is_harmless(
    alert: str,
) -> None:
    first, *rest = re.split(r"\n(?=- )", entries()[alert])
    assert re.fullmatch(
        rf"\*\*{alerts()[alert]['labels']['severity']}\.\*\* \S.*", first, re.DOTALL
    )
    assert [re.findall(r"^- \*\*(\w+)\*\*", one) for one in rest] == [
        ["Why"],
        ["Look"],
        ["Harmless"],
    ]


def test_links_inside_the_runbook_lead_somewhere() -> None:
    linked = set(re.findall(r"\]\(#([\w-]+)\)", RUNBOOK.read_text()))
    assert linked <= anchors(RUNBOOK)

"""Dashboards: what their source builds, complete, and leading where they say."""

import re
from typing import Any

import pytest
import yaml

from deploy.grafana.source.__main__ import boards, text_of
from deploy.grafana.source.runbook import UID, panel_id, path_of
from tests.deploy.observability import DASHBOARDS, GRAFANA, ROOT, alerts, dashboards, panels

BUILD = ".venv/bin/python -m deploy.grafana.source"
PANELS = dict(panels())
QUERYING = {where: panel for where, panel in PANELS.items() if panel["type"] != "text"}
WIDTH = 24


def test_the_files_are_what_their_source_builds() -> None:
    built = {f"{board.name}.json": text_of(board) for board in boards()}
    assert {file.name for file in DASHBOARDS.iterdir()} == built.keys()
    for name, text in built.items():
        assert (DASHBOARDS / name).read_text() == text, f"{name} is old: run {BUILD}"


@pytest.mark.parametrize("where", QUERYING)
def test_a_panel_says_what_it_shows_and_in_which_unit(where: str) -> None:
    panel = QUERYING[where]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["targets"]
    letters = [target["refId"] for target in panel["targets"]]
    assert len(set(letters)) == len(letters)


@pytest.mark.parametrize("where", QUERYING)
def test_rupees_are_shown_as_rupees(where: str) -> None:
    texts = " ".join(str(target.get("expr", "")) for target in QUERYING[where]["targets"])
    shares = "/" in texts
    if "rupees" in texts and not shares:
        assert QUERYING[where]["fieldConfig"]["defaults"]["unit"] == "currencyINR"


@pytest.mark.parametrize("name", dashboards())
def test_panels_fill_the_page_without_overlap_and_their_numbers_are_their_own(name: str) -> None:
    board = dashboards()[name]
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {
            (at["x"] + column, at["y"] + row) for column in range(at["w"]) for row in range(at["h"])
        }
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= WIDTH, panel["title"]
        taken |= cells
    height = max(row for _, row in taken) + 1
    assert len(taken) == WIDTH * height, "there is a hole between the panels"
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(set(numbers)) == len(numbers)
    titles = [panel["title"] for panel in board["panels"] if panel["type"] != "row"]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("where", PANELS)
def test_links_of_a_panel_lead_to_entries_of_the_runbook(where: str) -> None:
    texts = PANELS[where].get("options", {}).get("content", "")
    linked = [link["url"] for link in PANELS[where].get("links", ())]
    linked += re.findall(r"\]\((/d/[^)]+)\)", texts)
    known = {path_of(alert) for alert in alerts()}
    assert set(linked) <= known


def test_the_runbook_in_grafana_has_every_entry_where_links_lead() -> None:
    board = dashboards()["runbook"]
    assert board["uid"] == UID
    shown = {panel["title"]: panel["id"] for panel in board["panels"] if panel["type"] == "text"}
    assert shown == {alert: panel_id(alert) for alert in alerts()}


def test_every_alert_is_linked_from_a_panel() -> None:
    linked = {link["title"] for panel in PANELS.values() for link in panel.get("links", ())}
    assert linked == {f"Runbook: {alert}" for alert in alerts()}


@pytest.mark.parametrize("name", dashboards())
def test_times_are_indias(name: str) -> None:
    board = dashboards()[name]
    assert board["timezone"] == "Asia/Kolkata"
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            assert target.get("rawSql", "").count("formatDateTime") == target.get(
                "rawSql", ""
            ).count("'Asia/Kolkata'"), panel["title"]


def test_queries_go_to_provisioned_sources() -> None:
    provided = {source["uid"]: source["type"] for source in _provisioned("datasources")}
    used = {
        (source["uid"], source["type"])
        for panel in QUERYING.values()
        for source in [panel["datasource"], *(one["datasource"] for one in panel["targets"])]
    }
    assert used == set(provided.items())


def test_compose_mounts_what_provisioning_names() -> None:
    compose = yaml.safe_load((ROOT / "deploy" / "docker-compose.yml").read_text())
    grafana = compose["services"]["grafana"]
    mounted = {to: at for at, to in (one.split(":")[:2] for one in grafana["volumes"])}
    (provider,) = _provisioned("dashboards", "providers")
    assert mounted[provider["options"]["path"]] == "./grafana/dashboards"
    assert mounted["/etc/grafana/provisioning"] == "./grafana/provisioning"
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (
        home.removeprefix(f"{provider['options']['path']}/").removesuffix(".json") in dashboards()
    )
    (clickhouse,) = (one for one in _provisioned("datasources") if one["uid"] == "clickhouse")
    kept = clickhouse["secureJsonData"]["password"]
    assert re.fullmatch(r"\$__file\{/run/alphastocks/grafana/\w+\}", kept)
    assert "/run/alphastocks/grafana" in mounted


def _provisioned(kind: str, key: str = "datasources") -> list[dict[str, Any]]:
    text = (GRAFANA / "provisioning" / kind / "alphastocks.yml").read_text()
    provided: list[dict[str, Any]] = yaml.safe_load(text)[key]
    return provided

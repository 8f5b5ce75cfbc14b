"""The alert rules, the dashboards and their queries, as the files in deploy/ have them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = PROMETHEUS / "rules" / "alphastocks.yml"
RULE_TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))
GRAFANA = ROOT / "deploy" / "grafana"
DASHBOARDS = GRAFANA / "dashboards"
RUNBOOK = ROOT / "docs" / "runbook.md"


@dataclass(frozen=True)
class Query:
    """A query, and where it stands: a rule, or a panel and the query's letter in it."""

    where: str
    kind: str  # promql or sql
    text: str

    def __str__(self) -> str:
        return self.where


@cache
def alerts() -> dict[str, dict[str, Any]]:
    """Return alert → its rule."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


@cache
def dashboards() -> dict[str, dict[str, Any]]:
    """Return the name of each dashboard's file → the dashboard."""
    return {file.stem: json.loads(file.read_text()) for file in sorted(DASHBOARDS.glob("*.json"))}


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each panel, but for headings, with its dashboard's name and its title."""
    for name, board in dashboards().items():
        for panel in board["panels"]:
            if panel["type"] != "row":
                yield f"{name}: {panel['title']}", panel


def queries(kind: str) -> list[Query]:
    """Return every query of rules and dashboards of a kind, promql or sql."""
    return [
        query for query in (*_of_rules(), *_of_panels(), *_beside_panels()) if query.kind == kind
    ]


def _of_rules() -> Iterator[Query]:
    for alert, rule in alerts().items():
        yield Query(f"alert {alert}", "promql", rule["expr"])


def _of_panels() -> Iterator[Query]:
    for where, panel in panels():
        for target in panel.get("targets", ()):
            kind, text = ("sql", "rawSql") if "rawSql" in target else ("promql", "expr")
            yield Query(f"{where} {target['refId']}", kind, target[text])


def _beside_panels() -> Iterator[Query]:
    for name, board in dashboards().items():
        for variable in board.get("templating", {}).get("list", ()):
            yield Query(f"{name}: variable {variable['name']}", "sql", variable["query"])
        for marks in board.get("annotations", {}).get("list", ()):
            yield Query(f"{name}: annotation {marks['name']}", "promql", marks["expr"])


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }

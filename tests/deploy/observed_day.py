"""A trading day in short, watched by Prometheus: Muhurat's hour, stopped while something is held.

With a history of minutes, and a target and a stop that are near, it trades at once.

Afterwards the services run again, on a market that all but stands still, so that what is asked of
tables and metrics stays what it is.
"""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from clickhouse_driver import Client

from libs.servers.clickhouse.server import LocalServer
from services.local.catalogue import SERVICES
from tests.deploy.observability import PROMETHEUS, ROOT, RULES, Query
from tests.integration.houses import House
from tests.integration.processes import HOST, Running, free_ports
from tests.prometheus_server import Prometheus, running_prometheus

DAY = date(2025, 10, 21)
DATABASE = "observed"
RATE_INTERVAL = 10  # seconds; Grafana's would be four scrapes
SCRAPES = 4
SETTINGS = """
[ingest]
history = { days = 5, intervals = ["1m", "15m"] }
[executor]
entry = { min_expected_move = 0.0, before_settlement_days = 0 }
[position]
exits = { before_settlement_days = 0 }
[[strategy.strategies]]
name = "ma_crossover"
parameters = { interval = "1m", fast = 3, slow = 8, target_percent = 0.2, stop_percent = 0.1 }
[[strategy.strategies]]
name = "ma_crossover"
"""
OPENED = "SELECT count() FROM positions WHERE quantity > 0"
TRADED = """
SELECT countIf(quantity > 0) > 0 AND countIf(type = 'PositionClosed') > 0 FROM (
SELECT * FROM positions FINAL
ORDER BY type = 'PositionClosed' DESC, occurred_at DESC LIMIT 1 BY position_id)
"""


@dataclass(frozen=True)
class ObservedDay:
    """Where to ask, and the wall's times between which the day was played."""

    prometheus: Prometheus
    clickhouse: Client
    began: float
    stopped: float
    ended: float

    def over_time(self, expression: str) -> list[dict[str, Any]]:
        """Return the series of PromQL over the whole time."""
        text = expression.replace("$__rate_interval", f"{RATE_INTERVAL}s")
        assert "$" not in text, f"a macro that the test does not know: {text}"
        times = {"start": self.began, "end": self.ended, "step": 1}
        series: list[dict[str, Any]] = self.prometheus.asked("query_range", query=text, **times)[
            "result"
        ]
        return series

    def now(self, expression: str) -> list[dict[str, Any]]:
        """Return the series of PromQL at the end."""
        result = self.prometheus.asked("query", query=expression, time=self.ended)["result"]
        series: list[dict[str, Any]] = result
        return series

    def number(self, expression: str) -> float:
        """Return the one value of PromQL at the end."""
        (series,) = self.now(expression)
        return float(series["value"][1])

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of SQL, as the user of the dashboards may ask for them."""
        return self._asked(expanded(sql, self.began, self.ended))

    def columns(self, sql: str) -> dict[str, str]:
        """Return the name of each column → its type."""
        described = self._asked(f"DESCRIBE ({expanded(sql, self.began, self.ended)})")
        return {name: kind for name, kind, *_ in described}

    def _asked(self, sql: str) -> list[tuple[Any, ...]]:
        limits = {"readonly": 2, "max_execution_time": 30, "max_memory_usage": 1_000_000_000}
        rows: list[tuple[Any, ...]] = self.clickhouse.execute(sql, settings=limits)
        return rows

    def answer(self, query: Query) -> list[Any]:
        """Return what a query finds: series, or rows that hold anything."""
        if query.kind == "promql":
            return self.over_time(query.text)
        return [row for row in self.rows(query.text) if any(not is_nothing(one) for one in row)]


def is_nothing(value: object) -> bool:
    """Return whether a panel would show a value as none."""
    return value is None or value == "" or value != value  # noqa: PLR0124  nan


def expanded(sql: str, began: float, ended: float) -> str:
    """Return SQL as the plugin sends it, with its macros and the dashboard's variable filled in."""
    seconds = (f"toDateTime({int(began)})", f"toDateTime({int(ended) + 1})")
    macros = {
        r"\$__timeFilter\((\w+)\)": rf"\1 >= {seconds[0]} AND \1 <= {seconds[1]}",
        r"\$__timeInterval\((\w+)\)": r"toStartOfInterval(toDateTime(\1), INTERVAL 5 second)",
        r"\$__interval_s": "5",
        r"\$\{trading_day\}": DAY.isoformat(),
    }
    for macro, meaning in macros.items():
        sql = re.sub(macro, meaning, sql)
    assert "$" not in sql, f"a macro that the test does not know: {sql}"
    return sql


@contextmanager
def observed_day(folder: Path) -> Iterator[ObservedDay]:
    """Play, watch, stop, start again, and yield where to ask."""
    with ExitStack() as stack:
        ports = Ports(free_ports(len(SERVICES) + 2))
        server = stack.enter_context(clickhouse(folder / "clickhouse", ports.clickhouse))
        house = House(folder, replace(server.address, database=DATABASE), ports.first)
        house.set(SETTINGS)
        config = prometheus_config(house, ports)
        prometheus = stack.enter_context(running_prometheus(config, folder, ports.prometheus))
        client = Client(HOST, **_login(house), database=DATABASE)
        stack.callback(client.disconnect)
        began = time.time()
        with house.up("--date", DAY, "--speed", 10_000) as first:
            _until_traded(house, first)
            assert first.end() == 0, first.last_words
        stopped = time.time()
        with house.up("--speed", 0.01) as second:
            house.wait_until_ready(second)
            time.sleep(SCRAPES)
            yield ObservedDay(prometheus, client, began, stopped, time.time())
            assert second.end() == 0, second.last_words


@dataclass(frozen=True)
class Ports:
    """Ports in a row: the services', Prometheus', and ClickHouse's for Prometheus."""

    first: int

    @property
    def prometheus(self) -> int:
        return self.first + len(SERVICES)

    @property
    def clickhouse(self) -> int:
        return self.prometheus + 1


@contextmanager
def clickhouse(folder: Path, port: int) -> Iterator[LocalServer]:
    """Run ClickHouse with the deployment's endpoint for Prometheus, on another port."""
    text = (ROOT / "deploy" / "clickhouse" / "config.d" / "prometheus.xml").read_text()
    (folder / "config.d").mkdir(parents=True)
    (folder / "config.d" / "prometheus.xml").write_text(text.replace("9363", str(port)))
    with LocalServer(folder) as server:
        yield server


def prometheus_config(house: House, ports: Ports) -> dict[str, Any]:
    """Return the deployment's configuration with the addresses of this machine."""
    config: dict[str, Any] = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(RULES)]
    places = {f"{service}:8100": port for service, port in house.ports.items()}
    places |= {"clickhouse:9363": ports.clickhouse, "localhost:9090": ports.prometheus}
    for job in config["scrape_configs"]:
        for group in job["static_configs"]:
            group["targets"] = [f"{HOST}:{places[target]}" for target in group["targets"]]
    return config


def _login(house: House) -> dict[str, Any]:
    address = house.address
    return {"port": address.port, "user": address.user, "password": address.password}


def _until_traded(house: House, process: Running) -> None:
    house.wait_until_ready(process)
    house.wait_for_row(process, OPENED, "a position is opened")
    house.wait_for_row(process, TRADED, "one position is closed, another held")

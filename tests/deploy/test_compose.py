"""`docker compose up` as the README has it: the chain works by itself, and nothing is lost.

`make smoke` runs this file and shows what it saw. It needs a Docker engine.
"""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from services.local.catalogue import NAMES
from tests.deploy.stack import Stack, eventually, running_stack, why_not

JOBS = ("secrets", "topics", "tables")
SCRAPED = {f"alphastocks {name}" for name in NAMES} | {"clickhouse", "prometheus"}
MOST_TRANSACTION_MARKS = 40
"""What ends a transaction counts as a record that nobody commits."""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    reason = why_not()
    if reason:
        pytest.skip(f"docker compose cannot run: {reason}")
    with running_stack() as running:
        yield running


def told(what: str, seen: object) -> None:
    print(f"\n{what}: {seen}", flush=True)  # noqa: T201  make smoke shows it


def test_every_container_is_healthy_and_every_job_has_ended_well(stack: Stack) -> None:
    states = stack.states()
    assert {name: states[name]["ExitCode"] for name in JOBS} == dict.fromkeys(JOBS, 0)
    running = {name: one["Health"] for name, one in states.items() if name not in JOBS}
    told("containers", running)
    assert set(NAMES) < set(running)
    assert set(running.values()) == {"healthy"}


def test_prometheus_scrapes_every_target(stack: Stack) -> None:
    def up() -> dict[str, str]:
        return {
            " ".join(filter(None, (one["metric"]["job"], one["metric"].get("service")))): one[
                "value"
            ][1]
            for one in stack.query("up")
        }

    seen = eventually(up, lambda seen: set(seen) == SCRAPED and set(seen.values()) == {"1"})
    told("scraped", sorted(seen))


def test_the_chain_works_by_itself_from_ticks_to_positions(stack: Stack) -> None:
    seen = eventually(stack.ledger, lambda seen: all(seen["tables"].values()))
    told("rows", seen["tables"])


@pytest.mark.parametrize("service", NAMES)
def test_a_service_that_is_killed_comes_back_and_is_ready(stack: Stack, service: str) -> None:
    if service == "ingest":  # what Kite sends while nobody listens is gone: the market waits
        stack.market("pause")
    stack.compose("kill", "--signal", "KILL", service)
    assert stack.states()[service]["State"] == "exited"
    began = time.monotonic()
    stack.compose("up", "-d", "--wait", service)
    told(f"{service} ready again after", f"{time.monotonic() - began:.1f} s")
    stack.market("resume")


def test_the_killings_lost_nothing_and_repeated_nothing(stack: Stack) -> None:
    stack.market("pause")
    lag = "sum(alphastocks_consumer_lag)"
    time.sleep(10)  # the market's last second, and a look of each service at its lag
    eventually(
        lambda: stack.query(lag), lambda seen: float(seen[0]["value"][1]) <= MOST_TRANSACTION_MARKS
    )
    seen = eventually(stack.ledger, lambda seen: not any(seen["missing"].values()))
    told("rows, and none is missing", seen["tables"])
    assert seen["fill_ids"] == seen["trade_ids"], "every fill of the broker, once"
    assert seen["repeated_tags"] == []
    assert seen["oversold"] == []
    assert seen["opened"] > 0
    stack.market("resume")


def test_taken_down_and_up_again_the_data_is_there_and_the_day_goes_on(stack: Stack) -> None:
    stack.market("pause")
    before, place = stack.ledger(), stack.market("state")
    stack.down()
    assert stack.states() == {}
    stack.up()
    after, later = stack.ledger(), stack.market("state")
    told("the market went on", f"{place['now']} → {later['now']}")
    assert (later["trading_day"], later["now_ms"] >= place["now_ms"]) == (
        place["trading_day"],
        True,
    )
    assert set(before["fill_ids"]) <= set(after["fill_ids"])
    assert all(after["tables"][name] >= rows for name, rows in before["tables"].items())
    grown = eventually(stack.ledger, lambda seen: has_grown(seen, after))
    told("rows", grown["tables"])


def has_grown(seen: dict[str, Any], since: dict[str, Any]) -> bool:
    rows: dict[str, int] = seen["tables"]
    return all(rows[name] > since["tables"][name] for name in ("ticks", "candles"))

"""`docker compose up` as the README has it: the chain works by itself, and nothing is lost.

`make smoke` runs this file and shows what it saw. It needs a Docker engine.
"""

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.local.catalogue import NAMES
from tests.deploy.stack import LiveStack, Stack, eventually, running_stack, why_not

AS_IF_SET_UP = ("-o", __file__, f"STAMP={__file__}", f"BIN={Path(sys.executable).parent}")
"""Makes the Makefile take the environment of the tests for its own."""
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


def test_the_runbooks_commands_do_on_the_stack_what_they_say(stack: Stack) -> None:
    def made(*words: str) -> str:
        done = stack.make(*words)
        assert done.returncode == 0, done.stderr
        assert f"{stack.name} (simulator)" in done.stderr
        return done.stdout

    assert "not halted" in made("state")
    made("halt", "REASON=the runbook is tried")
    halted = eventually(lambda: made("state"), lambda said: "not halted" not in said)
    assert "the runbook is tried" in halted
    made("resume", "REASON=over")
    eventually(lambda: made("state"), lambda said: "not halted" in said)
    made("mode", "ARGS=logging_only")
    eventually(lambda: made("state"), lambda said: "logging_only" in said)
    made("mode", "ARGS=paper")
    assert "Exits requested" in made("exit", "ARGS=--yes")
    assert "executor" in made("lag")
    made("dlq", "ARGS=list")
    made("ps")
    made("rewind", "ARGS=signal.writer.trading_signals")
    made("restart", "ARGS=signal")


def test_a_stop_of_the_executor_stops_it_and_is_refused_the_second_time(stack: Stack) -> None:
    assert stack.make("stop", "ARGS=executor").returncode == 0
    assert stack.states()["executor"]["State"] == "exited"
    for words in (("stop", "ARGS=executor"), ("halt",), ("stop", "ARGS=exekutor")):
        assert stack.make(*words).returncode != 0
    assert stack.make("start", "ARGS=executor").returncode == 0
    assert stack.states()["executor"]["Health"] == "healthy"


def test_the_live_stack_is_refused_by_name_while_the_simulator_runs(stack: Stack) -> None:
    refused = stack.make("up", "LIVE=1", *AS_IF_SET_UP, KITE_API_KEY="of-nobody")
    assert refused.returncode != 0
    assert f"nothing was built: {stack.name} (simulator) runs" in refused.stderr
    assert stack.make("halt", "LIVE=1").returncode != 0


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


@pytest.fixture(scope="module")
def live() -> Iterator[Stack]:
    """Yield a live stack that nobody has logged in to, after the simulator is gone."""
    if reason := why_not():
        pytest.skip(f"docker compose cannot run: {reason}")
    stack = LiveStack()
    try:
        yield stack
    finally:
        stack.down("-v", "--remove-orphans")


def test_without_a_key_the_live_stack_is_refused_before_anything_is_built(live: Stack) -> None:
    refused = live.make("up", "LIVE=1", *AS_IF_SET_UP, KITE_API_KEY="")
    assert refused.returncode != 0
    assert "export KITE_API_KEY=" in refused.stdout
    assert live.states() == {}


def test_the_live_stack_waits_healthily_for_a_login_or_a_day_and_says_so(live: Stack) -> None:
    began = time.monotonic()
    done = live.make("up", "LIVE=1", *AS_IF_SET_UP)
    told("live stack", f"{time.monotonic() - began:.1f} s: {done.stderr}")
    assert done.returncode == 0, done.stdout + done.stderr
    said = live.make("ps").stderr
    assert f"{live.project} (live)" in said
    assert re.search(r"ingest waits for (a login|the next trading day|an answer)", said)
    assert "strategy waits for ingest to open a trading day" in said
    states = live.states()
    assert {states[name]["Health"] for name in NAMES} == {"healthy"}
    assert "simulator" not in states


def test_the_runbooks_commands_act_on_the_live_stack_too(live: Stack) -> None:
    for words, said in ((("state",), "logging_only, not halted"), (("halt", "REASON=x"), "halted")):
        done = live.make(*words)
        assert done.returncode == 0, done.stderr
        assert said in done.stdout
    eventually(
        lambda: live.make("state").stdout, lambda seen: bool(re.search(r"halted \(.*x\)", seen))
    )
    assert live.make("up").returncode != 0, "the simulator is refused"
    assert live.make("stop", "ARGS=executor").returncode == 0
    assert live.states()["executor"]["State"] == "exited"
    assert live.make("down").returncode == 0
    assert live.states() == {}

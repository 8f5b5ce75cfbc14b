"""Mode live at a simulated Kite on Kafka: armed, killed, and out of its time in mid-position."""

import signal
from collections.abc import Callable
from typing import Any

import pytest

from libs.runtime.access import hash_of
from libs.runtime.settings import SettingsError
from libs.servers.kafka.errors import KafkaMissing
from libs.servers.kafka.jars import JARS_VARIABLE, kafka_jars
from services.executor.domain.live.arming import SIMULATOR_SENTENCE
from services.local.commands.executor_client import Executor
from tests.integration.houses import SMALL, House
from tests.integration.processes import Running
from tests.servers import JARS

TOKEN = "asha's own"
LIVE = f"""
{SMALL}
[executor]
mode = "live"
venue = "simulator"
entry = {{ max_age_seconds = 9000 }}
chain = {{ quote_budget_ms = 3600000, index_budget_ms = 3600000 }}
orders = {{ entry_timeout_ms = 3600000, exit_timeout_ms = 600000 }}
control = {{ tokens = [{{ name = "asha", scope = "trade", sha256 = "{hash_of(TOKEN)}" }}] }}
"""
"""A market that runs faster than a busy machine: what is old and late is borne with."""
SPEED = 100
ARMED_MINUTES = 90


@pytest.fixture(autouse=True)
def _jars(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `up` find the jars that are fetched for all tests."""
    try:
        monkeypatch.setenv(JARS_VARIABLE, str(kafka_jars(JARS)))
    except KafkaMissing as error:
        pytest.skip(str(error))


class Desk:
    """The executor of a house, as a person with a token asks it."""

    def __init__(self, house: House, process: Running) -> None:
        self._process = process
        self.refused = ""
        self._executor = Executor(f"http://127.0.0.1:{house.ports['executor']}", TOKEN)

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self._executor.ask("state", None)
        return found

    def until(self, is_so: Callable[[dict[str, Any]], object], what: str) -> dict[str, Any]:
        """Return the first state of which something is so; one that starts has none."""
        seen: list[dict[str, Any]] = []

        def look() -> bool:
            try:
                seen.append(self.state())
            except SettingsError:
                return False
            return bool(is_so(seen[-1]))

        self._process.until(look, what, 2.1)  # below the rate of a token
        return seen[-1]

    def arm(self, until: str) -> None:
        """Arm as soon as every line of the doctor is well."""
        self._process.until(lambda: self._is_armed(until), "it is armed", 2.1)

    def leave(self) -> None:
        """Ask for the exit of all that is held; no arming is needed for it."""
        self._executor.ask("exit", "a test")

    def _is_armed(self, until: str) -> bool:
        try:
            answer = self._executor.ask(
                "arm", "a test", until=until, sentence=SIMULATOR_SENTENCE, lots_a_trade=1
            )
        except SettingsError as error:
            self.refused = str(error)
            return False
        return bool(answer["action"] == "arm")


def in_india(utc: str, minutes: int) -> str:
    """Return the time in India so many minutes later."""
    hour, minute = map(int, utc[11:16].split(":"))
    at = hour * 60 + minute + 330 + minutes
    return f"{at // 60:02}:{at % 60:02}"


def refused(why: str) -> str:
    return f"SELECT count() FROM decisions WHERE reason = 'not_armed' AND numbers LIKE '%{why}%'"


def bought(condition: str = "1") -> str:
    return (
        "SELECT count() FROM orders FINAL WHERE leg = 'entry' AND mode = 'live' "
        f"AND type = 'OrderPlanned' AND {condition}"
    )


@pytest.mark.proof("minutes; in small: the executor alone, on a bus in memory")
def test_live_orders_go_only_while_armed_over_a_kill_and_what_is_held_is_left_without(
    house: House,
) -> None:
    house.set(LIVE)
    with house.up("--kafka", "--speed", SPEED) as first:
        house.wait_until_ready(first)
        desk = Desk(house, first)
        house.wait_for_row(first, refused("nobody has armed it"), "an entry is refused")
        assert house.rows(bought()) == [(0,)]
        desk.arm(in_india(desk.state()["at"], ARMED_MINUTES))
        desk.until(lambda state: state["open_positions"], "a live entry has filled")
        first.end(signal.SIGKILL)
    with house.up("--kafka", "--speed", SPEED) as second:
        desk = Desk(house, second)
        now = desk.until(lambda state: state["at"], "the executor has restored its state")
        assert now["arming"]["sentence"] == "", "the first arming is remembered"
        assert now["arming"]["by"] == "asha" or now["arming"]["why_not"] == "its time is over"
        over = desk.until(lambda state: state["arming"]["why_not"], "the arming is over")
        assert over["arming"]["why_not"] == "its time is over"
        house.wait_for_row(second, refused("its time is over"), "an entry is refused again")
        planned = house.rows(bought())
        desk.leave()
        desk.until(lambda state: not state["open_positions"], "all that was held is closed")
        assert house.rows(bought()) == planned, "nothing was opened meanwhile"
        sold = "SELECT count() FROM orders WHERE leg = 'exit' AND type = 'OrderFilled'"
        house.wait_for_row(second, sold, "the sale is stored")
        assert second.end() == 0, second.last_words
    assert not second.has_left_something

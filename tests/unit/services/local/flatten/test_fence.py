"""What keeps a running executor from sending orders: a file, and its control endpoint."""

import threading
from pathlib import Path

from libs.runtime.flattening import Flattening, beside, read_flattening, write_flattening
from services.local.flatten.fence import LEASE_MS, RENEW_MS, Fence


class Machine:
    """A clock that is moved by hand, an executor, and what a person reads."""

    def __init__(self, folder: Path) -> None:
        self.now_ms, self.asked, self.lines = 1_000_000, 0, list[str]()
        self.session = folder / "session.json"
        self.fence = Fence(
            self.session, "run", "asha", self._ask, self.lines.append, lambda: self.now_ms
        )

    def _ask(self) -> str:
        self.asked += 1
        return "the executor stands down"

    @property
    def until_ms(self) -> int:
        found = read_flattening(beside(self.session))
        assert found is not None
        return found.until_ms


def test_it_holds_before_the_first_round_and_says_once_what_the_executor_said(
    tmp_path: Path,
) -> None:
    machine = Machine(tmp_path)
    machine.fence.hold()
    machine.fence.hold()
    assert machine.until_ms == machine.now_ms + LEASE_MS
    assert (machine.asked, machine.lines) == (1, ["the executor stands down"])


def test_it_is_renewed_in_time_and_ends_when_it_is_released(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.fence.hold()
    machine.now_ms += RENEW_MS
    machine.fence.hold()
    assert machine.until_ms == machine.now_ms + LEASE_MS
    machine.fence.release()
    assert machine.until_ms == machine.now_ms


def test_the_end_of_one_run_lets_the_lease_of_another_hold(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.fence.hold()
    other = Flattening("other", "ravi", machine.now_ms + LEASE_MS)
    write_flattening(beside(machine.session), other)
    machine.fence.release()
    assert read_flattening(beside(machine.session)) == other


def test_what_was_never_held_leaves_no_file(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.fence.release()
    assert not beside(machine.session).exists()


def test_where_no_file_can_be_written_it_says_so_and_goes_on(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "missing")
    machine.fence.hold()
    assert any("held off by a file" in line for line in machine.lines)


def test_an_executor_that_does_not_answer_keeps_nobody_waiting(tmp_path: Path) -> None:
    machine, answers = Machine(tmp_path), threading.Event()
    machine.fence.ask = lambda: "late" if answers.wait(10) else ""
    machine.fence.hold(0.01)
    machine.now_ms += RENEW_MS
    machine.fence.hold()
    answers.set()
    assert machine.lines == []

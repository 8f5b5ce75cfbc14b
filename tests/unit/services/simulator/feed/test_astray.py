"""How a connection's frames go astray."""

from collections.abc import Sequence

from services.simulator.domain.faults.kinds import Freeze, Lag, Reorder, Silence
from services.simulator.domain.feed.astray import Astray


def sent(fault: Silence | Lag | Freeze | Reorder | None, seconds: int = 6) -> list[Sequence[bytes]]:
    """What is sent of a frame a second, where the fault begins at the second one."""
    astray, found = Astray(), list[Sequence[bytes]]()
    for second in range(seconds):
        if second == 1 and fault is not None:
            astray.begin(fault, float(second))
        found.append(tuple(astray.sent([b"%d" % second], float(second))))
    return found


def test_without_a_fault_frames_are_sent_as_they_are() -> None:
    assert sent(None, 3) == [(b"0",), (b"1",), (b"2",)]
    assert Astray().delay(0.0) == 0


def test_ticks_are_kept_back_for_a_while() -> None:
    silence = Silence(kind="silence", what="ticks", seconds=2)
    assert sent(silence, 5) == [(b"0",), (), (), (b"3",), (b"4",)]


def test_the_last_ticks_are_sent_again() -> None:
    assert sent(Freeze(kind="freeze", seconds=2), 4) == [(b"0",), (b"0",), (b"0",), (b"3",)]


def test_a_second_comes_after_the_next_one() -> None:
    found = sent(Reorder(kind="reorder", times=2), 6)
    assert found == [(b"0",), (), (b"2", b"1"), (), (b"4", b"3"), (b"5",)]


def test_ticks_are_late_for_a_while() -> None:
    astray = Astray()
    astray.begin(Lag(kind="lag", seconds=20, lasts=60), 100.0)
    assert [astray.delay(now) for now in (100.0, 159.0, 160.0)] == [20, 20, 0]

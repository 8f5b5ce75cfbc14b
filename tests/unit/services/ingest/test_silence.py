"""Which silence of a connection is too long."""

from itertools import pairwise

from services.ingest.domain.silence import LONGEST_MS, Silence


def replaced(silence: Silence, until_ms: int) -> list[int]:
    """The seconds at which the connection is replaced, looked at each second."""
    seconds = range(0, until_ms + 1, 1000)
    return [at // 1000 for at in seconds if silence.is_too_long(at, 2500)]


def test_a_connection_without_ticks_is_replaced_within_three_seconds() -> None:
    assert replaced(Silence(), 5000) == [3]


def test_the_next_one_is_given_twice_the_time_up_to_a_minute() -> None:
    times = replaced(Silence(), 400_000)
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert waits[:5] == [5, 10, 20, 40, 60]
    assert set(waits[5:]) == {LONGEST_MS // 1000}


def test_a_new_connection_that_is_silent_too_is_a_halt() -> None:
    silence = Silence()
    assert replaced(silence, 3000) == [3]
    assert not silence.is_halt
    assert [at for at in range(4000, 9000, 1000) if silence.is_too_long(at, 2500)] == [8000]
    assert silence.is_halt
    silence.heard(9000)
    assert not silence.is_halt


def test_ticks_begin_the_time_anew() -> None:
    silence = Silence()
    silence.heard(0)
    for at in range(2000, 20_000, 2000):
        assert not silence.is_too_long(at, 2500)
        silence.heard(at)


def test_outside_of_sessions_nothing_is_expected_and_the_time_begins_with_the_session() -> None:
    silence = Silence()
    silence.heard(0)
    assert not silence.is_too_long(3_600_000, 0)
    assert not silence.is_too_long(3_601_000, 2500)
    assert not silence.is_too_long(3_602_000, 2500)
    assert silence.is_too_long(3_603_000, 2500)


def test_after_an_outage_the_new_connection_has_its_whole_time() -> None:
    silence = Silence()
    silence.heard(0)
    assert not silence.is_too_long(600_000, 2500)
    assert not silence.is_too_long(602_000, 2500)
    assert silence.is_too_long(603_000, 2500)

"""Which silence of a connection is too long."""

from itertools import pairwise

from services.ingest.domain.silence import LONGEST_MS, Silence

LONG = 10**9


def replaced(silence: Silence, until_ms: int) -> list[int]:
    """The seconds at which the connection is replaced, looked at each half second."""
    found, opened_ms = [], 0
    for at_ms in range(0, until_ms + 1, 500):
        if silence.is_dead(at_ms, 2500, at_ms - opened_ms):
            silence.replaced()
            found.append(at_ms)
            opened_ms = at_ms
    return found


def test_a_connection_without_ticks_is_replaced_within_three_seconds() -> None:
    assert replaced(Silence(), 5000) == [2500]


def test_the_next_one_is_given_twice_the_time_up_to_a_minute() -> None:
    times = replaced(Silence(), 400_000)
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert waits[:5] == [5_000, 10_000, 20_000, 40_000, 60_000]
    assert set(waits[5:]) == {LONGEST_MS}


def test_it_is_silent_until_ticks_come_also_while_it_is_replaced() -> None:
    silence = Silence()
    assert not silence.is_silent(0, 2500)
    assert not silence.is_silent(2000, 2500)
    assert silence.is_silent(3000, 2500)
    silence.replaced()
    assert silence.is_silent(4000, 2500)
    assert silence.age_ms(4000) == 4000
    silence.heard(5000)
    assert not silence.is_silent(5000, 2500)


def test_ticks_begin_the_time_anew() -> None:
    silence = Silence()
    silence.heard(0)
    for at in range(2000, 20_000, 2000):
        assert not silence.is_dead(at, 2500, LONG)
        silence.heard(at)


def test_outside_of_sessions_nothing_is_expected_and_the_time_begins_with_the_session() -> None:
    silence = Silence()
    silence.heard(0)
    assert not silence.is_dead(3_600_000, 0, LONG)
    assert not silence.is_dead(3_601_000, 2500, LONG)
    assert not silence.is_dead(3_602_000, 2500, LONG)
    assert silence.is_dead(3_603_000, 2500, LONG)


def test_after_an_outage_the_new_connection_has_its_whole_time() -> None:
    silence = Silence()
    silence.heard(0)
    assert not silence.is_dead(600_000, 2500, 0)
    assert not silence.is_dead(602_000, 2500, 2000)
    assert silence.is_dead(603_000, 2500, 3000)

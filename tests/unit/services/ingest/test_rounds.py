"""Whom to ask for a quote next."""

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.rounds import Rounds


def test_the_most_important_are_asked_first_and_each_within_five_calls() -> None:
    rounds, wanted = Rounds(500, 2500), list(range(2500))
    asked = [rounds.next(wanted) for _ in range(10)]
    assert asked[0] == wanted[:500]
    assert [sorted(a + b) for a, b in zip(asked[:5], asked[5:], strict=True)] == [
        sorted(2 * part) for part in (wanted[n : n + 500] for n in range(0, 2500, 500))
    ]


def test_few_are_asked_at_each_call() -> None:
    rounds = Rounds(500, 2500)
    assert [rounds.next([3, 1]) for _ in range(3)] == [[3, 1]] * 3
    assert rounds.left_out == 0


def test_of_too_many_the_last_are_left_out_and_counted() -> None:
    rounds, wanted = Rounds(500, 2500), list(range(2600))
    asked = {token for _ in range(20) for token in rounds.next(wanted)}
    assert asked == set(range(2500))
    assert rounds.left_out == 100


def test_one_that_becomes_important_is_asked_next() -> None:
    rounds = Rounds(2, 10)
    rounds.next([1, 2, 3, 4])
    assert rounds.next([9, 1, 2, 3, 4]) == [9, 3]


@given(st.sets(st.integers(0, 60), min_size=1, max_size=50), st.integers(1, 12))
def test_each_is_asked_again_as_soon_as_all_were(wanted: set[int], a_call: int) -> None:
    rounds, last = Rounds(a_call, 50), dict.fromkeys(wanted, 0)
    calls = -(-len(wanted) // a_call)
    for call in range(1, 20):
        last |= dict.fromkeys(rounds.next(sorted(wanted)), call)
        assert min(last.values()) > call - 1 - calls

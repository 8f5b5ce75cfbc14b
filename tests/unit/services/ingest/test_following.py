"""What is sent so that a connection follows something else."""

from hypothesis import given
from hypothesis import strategies as st

from libs.broker.port.market import Mode
from services.ingest.domain.following import Following, fitting

MODES: list[Mode] = ["ltp", "quote", "full"]
wanted = st.dictionaries(st.integers(1, 20), st.sampled_from(MODES))


@given(st.lists(wanted, max_size=6))
def test_the_broker_has_what_is_wanted_after_each_change(steps: list[dict[int, Mode]]) -> None:
    following, broker = Following(), dict[int, Mode]()
    for step in steps:
        change = following.change_to(step)
        for token in change.gone:
            del broker[token]
        for mode, tokens in change.added.items():
            assert all(broker.get(token) != mode for token in tokens), "sent once"
            broker |= dict.fromkeys(tokens, mode)
        assert broker == step == following.modes


def test_a_mode_alone_changes_without_unsubscribing() -> None:
    following = Following()
    following.change_to({1: "quote", 2: "full"})
    change = following.change_to({1: "full", 2: "full"})
    assert (change.gone, change.added) == ((), {"full": (1,)})


def test_where_not_all_fit_what_comes_first_is_kept() -> None:
    modes: dict[int, Mode] = dict.fromkeys([5, 1, 9, 3], "full")
    assert set(fitting(modes, {9: 0}, 2)) == {9, 1}
    assert fitting(modes, {}, 4) == modes

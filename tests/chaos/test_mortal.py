"""kill -9 of executor and position on a journaled bus, at any point of a session with four trades.

Another process goes on each time. Positions, exits, fills and results are those of the session in
which nobody died; but an entry whose plan was published and not sent is refused, and missing.
"""

from pathlib import Path
from random import Random

import pytest

from libs.events.orders import OrderPlanned
from tests.chaos.mortal_session import SIGNALS, Session

SEED, FEW, MANY, PART = 16, 10, 200, 20


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """The session in which nobody dies."""
    session = Session(tmp_path_factory.mktemp("undisturbed"))
    session.play()
    return session


def killed_at(point: int, folder: Path, undisturbed: Session) -> Session:
    """Play the session with a death; fails unless it ends as the undisturbed one."""
    where = f"{undisturbed.points[point]} (point {point})"
    session = Session(folder / str(point))
    book = session.play(point)
    assert session.kills == 1, where
    left_out = session.unsent
    assert left_out <= session.refused(), where
    assert book.without(left_out) == undisturbed.book().without(left_out), where
    assert not left_out & book.positions.keys(), where
    assert session.held() == {}, where
    assert session.exchange.seen.wrong == [], where
    return session


def random_points(undisturbed: Session, count: int) -> list[int]:
    return Random(SEED).sample(range(len(undisturbed.points)), count)


def test_the_undisturbed_session_has_four_trades_that_end_each_in_its_own_way(
    undisturbed: Session,
) -> None:
    book = undisturbed.book()
    assert sorted(state[1] for state in book.positions.values()) == [
        "manual",
        "manual",
        "stop_loss",
        "target",
    ]
    assert (undisturbed.kills, undisturbed.unsent, undisturbed.refused()) == (0, set(), set())
    assert undisturbed.held() == {}
    assert len(undisturbed.points) > 4 * MANY


def test_killed_at_ten_points_the_session_ends_as_if_nobody_had_died(
    undisturbed: Session, tmp_path: Path
) -> None:
    for point in random_points(undisturbed, FEW):
        killed_at(point, tmp_path, undisturbed)


def test_an_entry_whose_plan_was_published_and_not_sent_is_refused_and_the_others_are_the_same(
    undisturbed: Session, tmp_path: Path
) -> None:
    session = killed_at(undisturbed.points.index("before place"), tmp_path, undisturbed)
    (plan,) = (one for one in session.plans_of(session.unsent))
    assert isinstance(plan, OrderPlanned)
    assert len(session.book().positions) == len(SIGNALS) - 1


def test_an_entry_that_was_sent_is_adopted_although_its_reply_was_never_heard(
    undisturbed: Session, tmp_path: Path
) -> None:
    session = killed_at(undisturbed.points.index("after place"), tmp_path, undisturbed)
    assert session.unsent == set()
    assert len(session.book().positions) == len(SIGNALS)


def test_a_signal_that_waits_on_the_bus_while_nothing_runs_waits_for_quotes_after_the_start(
    undisturbed: Session, tmp_path: Path
) -> None:
    decided = undisturbed.points.index("before place")
    written = [
        point
        for point, name in enumerate(undisturbed.points[:decided])
        if name.startswith("after signal_generated")
    ]
    session = killed_at(written[-1], tmp_path, undisturbed)
    assert len(session.book().positions) == len(SIGNALS)


@pytest.mark.proof("ten minutes; in small: ten points of them")
@pytest.mark.parametrize("part", range(MANY // PART))
def test_killed_at_two_hundred_points_the_session_ends_as_if_nobody_had_died(
    part: int, undisturbed: Session, tmp_path: Path
) -> None:
    points = random_points(undisturbed, MANY)[part * PART : (part + 1) * PART]
    for point in points:
        killed_at(point, tmp_path, undisturbed)

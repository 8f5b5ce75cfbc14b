from array import array

from hypothesis import given
from hypothesis import strategies as st

from libs.events.bus import Message, TopicPartition
from libs.runtime.dead_letters import ORIGIN
from libs.runtime.partition_state import CAUSE
from services.local.backup.places import Offsets, new_commit, new_place, restored
from services.local.commands.dead_letters import RETRIED

PLACE = TopicPartition("ticks", 3)
GAPS: Offsets = {PLACE: array("q", [4, 5, 9]), TopicPartition("orders.dlq", 0): array("q", [2, 7])}


def of(*offsets: int) -> Offsets:
    return {PLACE: array("q", offsets)}


@given(st.sets(st.integers(0, 50)), st.integers(0, 51))
def test_before_a_translated_commit_are_the_records_that_were_before_it(
    kept: set[int], committed: int
) -> None:
    offsets = sorted(kept)
    new = new_commit(of(*offsets), PLACE, committed)
    assert offsets[:new] == [offset for offset in offsets if offset < committed]


@given(st.sets(st.integers(0, 50)), st.integers(0, 51), st.integers(0, 50))
def test_a_cause_that_was_handled_stays_handled_and_one_that_is_kept_keeps_its_record(
    kept: set[int], committed: int, cause: int
) -> None:
    offsets = sorted(kept)
    new = new_place(of(*offsets), PLACE, cause)
    if cause in kept:
        assert offsets[new] == cause
        assert (new < new_commit(of(*offsets), PLACE, committed)) == (cause < committed)
    elif cause < committed:
        assert new < new_commit(of(*offsets), PLACE, committed)


def test_a_partition_without_records_has_no_place_and_begins_at_the_beginning() -> None:
    assert new_commit({}, PLACE, 17) == 0
    assert new_place({}, PLACE, 17) == -1


def test_headers_that_name_a_message_name_its_new_offset_and_others_stay() -> None:
    headers = (
        (CAUSE, b"ticks/3/9"),
        (ORIGIN, b"ticks/3/4"),
        (ORIGIN, b"of a stranger"),
        (RETRIED, b"0/7"),
        ("reason", b"ticks/3/9"),
    )
    message = Message("orders.dlq", 0, 7, "k", b"v", 1, headers)
    record = restored(GAPS, message)
    assert record.headers == (
        (CAUSE, b"ticks/3/2"),
        (ORIGIN, b"ticks/3/0"),
        (ORIGIN, b"of a stranger"),
        (RETRIED, b"0/1"),
        ("reason", b"ticks/3/9"),
    )
    assert (record.partition, record.timestamp_ms) == (0, 1)


def test_the_headers_of_a_journal_stay_as_they_are() -> None:
    message = Message("candles", 0, 7, "k", b"v", 1, ((CAUSE, b"ticks/3/9"),))
    assert restored(None, message).headers == message.headers

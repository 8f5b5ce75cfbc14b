from hypothesis import given
from hypothesis import strategies as st

from libs.events.bus import Message, TopicPartition
from services.local.backup.records import line_of, message_of

NAMES = st.text(st.characters(codec="utf-8"))


@given(NAMES, st.binary(), st.integers(), st.lists(st.tuples(NAMES, st.binary())))
def test_a_record_of_any_bytes_comes_back_from_its_line(
    key: str, value: bytes, timestamp_ms: int, headers: list[tuple[str, bytes]]
) -> None:
    message = Message("orders", 2, 17, key, value, timestamp_ms, tuple(headers))
    line = line_of(message)
    assert line.count(b"\n") == 1
    assert message_of(line, TopicPartition("orders", 2)) == message

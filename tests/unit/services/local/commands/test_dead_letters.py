"""Letters in their box: what waits, what was retried, and what a retry publishes."""

from hypothesis import given
from hypothesis import strategies as st

from libs.events.bus import Headers, Message, Record
from libs.events.codec import record_of
from services.local.commands.dead_letters import letters_of, lines_of, retry_records
from tests.unit.libs.runtime.loops import NOW, halted

BURIED: Headers = (("origin", b"control/0/5"), ("service", b"echo"), ("reason", b"too bad"))


def buried(offset: int, value: bytes = b"\xff", headers: Headers = ()) -> Message:
    return Message("control.dlq", 0, offset, "key", value, NOW, (*headers, *BURIED))


def at(record: Record, offset: int) -> Message:
    """A record as a message of its partition."""
    return Message(
        record.topic,
        record.partition or 0,
        offset,
        record.key,
        record.value,
        record.timestamp_ms,
        record.headers,
    )


def test_a_letter_has_its_origin_its_service_and_the_reason() -> None:
    (letter,) = letters_of("control", [buried(3)])
    told = (letter.place, letter.origin, letter.service, letter.reason)
    assert told == ("0/3", "control/0/5", "echo", "too bad")
    assert not letter.is_retried


def test_a_retry_publishes_the_original_message_and_its_headers_alone() -> None:
    own: Headers = (("type", b"TradingHalted"), ("reason", b"its own"))
    (letter,) = letters_of("control", [buried(3, b"bytes", own)])
    again, _ = retry_records(letter)
    assert again == Record("control", "key", b"bytes", NOW, 0, own)


@given(st.permutations(range(5)), st.integers(0, 5))
def test_in_whatever_order_letters_are_retried_it_is_known_which_are_left(
    order: list[int], count: int
) -> None:
    box = [buried(offset) for offset in range(5)]
    for number in order[:count]:
        letter = letters_of("control", box)[number]
        _, marker = retry_records(letter)
        box.append(at(marker, len(box)))
    assert [one.is_retried for one in letters_of("control", box)] == [
        number in order[:count] for number in range(5)
    ]


def test_a_letter_is_shown_with_its_bytes_and_whether_it_can_be_read_now() -> None:
    record = record_of(halted(1))
    (well,) = letters_of("control", [buried(0, record.value, record.headers)])
    (bad,) = letters_of("control", [buried(0, b"\xff\x00")])
    assert any("TradingHalted: it can be read now" in line for line in lines_of(well))
    assert record.value.decode() in lines_of(well)
    assert any("it still cannot be read" in line for line in lines_of(bad))
    assert "ff 00" in lines_of(bad)

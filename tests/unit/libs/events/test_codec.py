"""Events survive their bytes, and bytes that are no event are poison with one line of reason."""

import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.events.bus import Message
from libs.events.codec import SCHEMAS, Decoder, decode, encode, event_of, record_of
from libs.events.errors import PoisonMessage, UnknownTopic
from libs.events.event import Event
from libs.events.signals import SignalRejected, StrategySignal
from libs.events.ticks import COLUMN_TYPES, REQUIRED, TickBatch, TickColumns
from libs.events.topics import TOPIC_OF, TOPICS
from tests.proofs import examples
from tests.unit.libs.events.samples import candle_batch, event_classes, sample, tick_batch
from tests.unit.libs.events.strategies import events, tick_batches

JSON_CLASSES = [event for event in event_classes() if event is not TickBatch]


def assert_same_ticks(got: TickBatch, sent: TickBatch) -> None:
    """All fields equal, and each column equal bit for bit (nan too), with its exact type."""
    excluded = {"columns", "causation_id"}
    assert got.model_dump(exclude=excluded) == sent.model_dump(exclude=excluded)
    for name, column in sent.columns.columns().items():
        other = getattr(got.columns, name)
        if column is None or (len(column) == 0 and name not in REQUIRED):
            assert other is None
        else:
            assert other.dtype == np.dtype(COLUMN_TYPES[name])
            assert other.tobytes() == column.tobytes()


@given(tick_batches())
def test_ticks_survive_their_bytes_bit_for_bit(batch: TickBatch) -> None:
    got = decode("ticks", encode(batch))
    assert isinstance(got, TickBatch)
    assert_same_ticks(got, batch)


@given(st.integers(min_value=1, max_value=40_000), st.sets(st.sampled_from(list(COLUMN_TYPES))))
def test_frames_of_any_size_survive_whichever_columns_they_carry(
    rows: int, carried: set[str]
) -> None:
    numbers = np.arange(rows)
    sent = TickColumns(
        **{
            name: numbers.astype(kind)
            for name, kind in COLUMN_TYPES.items()
            if name in carried or name in REQUIRED
        }
    )
    got = decode("ticks", encode(tick_batch(columns=sent)))
    assert isinstance(got, TickBatch)
    assert_same_ticks(got, tick_batch(columns=sent))


def test_the_columns_are_the_end_of_the_schema_in_the_order_of_the_table() -> None:
    schema = json.loads((SCHEMAS / "TickBatch.4.avsc").read_text())
    names = [field["name"] for field in schema["fields"]]
    assert names[-len(COLUMN_TYPES) :] == list(COLUMN_TYPES)


def test_a_batch_without_rows_carries_its_clock() -> None:
    got = decode("ticks", encode(tick_batch(columns=TickColumns.empty())))
    assert isinstance(got, TickBatch)
    assert (len(got.columns), got.clock_ms) == (0, tick_batch().clock_ms)


def test_columns_of_other_types_travel_as_the_schema_says() -> None:
    columns = TickColumns(np.array([7]), np.array([8.0]), np.array([9], ">i2"))
    got = decode("ticks", encode(tick_batch(columns=columns)))
    assert isinstance(got, TickBatch)
    assert [
        column.dtype.str for column in got.columns.columns().values() if column is not None
    ] == [
        "<u4",
        "<i8",
        "<f8",
    ]
    assert (got.columns.instrument_token[0], got.columns.last_price[0]) == (7, 9.0)


def test_decoded_columns_cannot_be_written_to() -> None:
    got = decode("ticks", encode(tick_batch()))
    assert isinstance(got, TickBatch)
    with pytest.raises(ValueError, match="read-only"):
        got.columns.last_price[0] = 1.0


@pytest.mark.parametrize("event", JSON_CLASSES, ids=lambda event: event.__name__)
@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_business_event_survives_its_bytes_exactly(
    event: type[Event], data: st.DataObject
) -> None:
    sent = data.draw(events(event))
    got = decode(TOPIC_OF[sent.type], encode(sent))
    assert type(got) is event
    assert got == sent
    assert got.model_dump_json() == sent.model_dump_json()


def test_numbers_keep_their_kind_next_to_text() -> None:
    rejected = sample(SignalRejected).model_copy(
        update={"numbers": {"price": 5.0, "text": "5.0", "nothing": "nan", "tiny": 5e-324}}
    )
    got = decode("signal_updates", encode(rejected))
    assert isinstance(got, SignalRejected)
    assert got.numbers == {"price": 5.0, "text": "5.0", "nothing": "nan", "tiny": 5e-324}
    assert [type(value) for value in got.numbers.values()] == [float, str, str, float]


def test_a_field_of_a_newer_writer_is_ignored() -> None:
    value = encode(sample(StrategySignal)).replace(b"{", b'{"added_later":[1],', 1)
    assert decode("strategy_signals", value) == sample(StrategySignal)


@pytest.mark.parametrize("topic", TOPICS)
@given(value=st.binary(max_size=200))
def test_random_bytes_are_poison_with_a_one_line_reason(topic: str, value: bytes) -> None:
    assert_poison(topic, value)


@pytest.mark.parametrize("topic", [name for name in TOPICS if name != "ticks"])
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("type"), inner),
        max_leaves=5,
    )
)
def test_any_other_json_is_poison_with_a_one_line_reason(topic: str, value: object) -> None:
    assert_poison(topic, json.dumps(value).encode())


@examples(100)
@given(at=st.integers(min_value=10, max_value=10_000), byte=st.binary(min_size=1, max_size=12))
def test_damaged_ticks_are_poison_or_a_batch_and_never_another_error(at: int, byte: bytes) -> None:
    value = bytearray(encode(tick_batch()))
    at %= len(value)
    value[at : at + len(byte)] = byte
    assert_batch_or_poison(bytes(value))


@given(st.integers(min_value=0, max_value=len(encode(tick_batch())) - 1))
def test_ticks_that_were_cut_off_are_poison(length: int) -> None:
    assert_poison("ticks", encode(tick_batch())[:length])


def assert_poison(topic: str, value: bytes) -> None:
    with pytest.raises(PoisonMessage) as caught:
        decode(topic, value)
    assert_one_line(topic, str(caught.value))


def assert_batch_or_poison(value: bytes) -> None:
    try:
        assert isinstance(decode("ticks", value), TickBatch)
    except PoisonMessage as poison:
        assert_one_line("ticks", str(poison))


def assert_one_line(topic: str, reason: str) -> None:
    assert reason.startswith(f"{topic}: ")
    assert len(reason.splitlines()) == 1
    assert len(reason) <= 500


@pytest.mark.parametrize(
    ("topic", "value", "reason"),
    [
        ("orders", b"{}", "type"),
        ("orders", b'{"type": "OrderLost"}', "OrderLost"),
        ("orders", b'{"type": "a\\nb"}', "tag"),
        ("control", b"not json", "JSON"),
        ("strategy_signals", b'{"type": "StrategySignal"}', "event_id: Field required"),
        ("ticks", b"", "not a TickBatch of a known schema"),
        ("ticks", b"\xc3\x01" + bytes(8), "not a TickBatch of a known schema"),
    ],
)
def test_the_reason_names_what_is_wrong(topic: str, value: bytes, reason: str) -> None:
    with pytest.raises(PoisonMessage, match=reason) as caught:
        decode(topic, value)
    assert_one_line(topic, str(caught.value))


def test_a_name_with_a_line_break_does_not_break_the_reason() -> None:
    value = encode(sample(StrategySignal)).replace(b'"indicators":{', b'"indicators":{"a\\nb":"x",')
    assert_poison("strategy_signals", value)


def test_a_column_of_another_length_is_poison() -> None:
    columns = TickColumns(np.array([1, 2]), np.array([1, 2]), np.array([1.0, 2.0, 3.0]))
    with pytest.raises(PoisonMessage, match="last_price has 3 rows, the batch 2"):
        decode("ticks", encode(tick_batch(columns=columns)))


def test_a_required_column_that_is_empty_is_poison() -> None:
    columns = TickColumns(np.array([1, 2]), np.array([1, 2]), np.array([]))
    with pytest.raises(PoisonMessage, match="last_price is empty in a batch of 2 rows"):
        decode("ticks", encode(tick_batch(columns=columns)))


@pytest.mark.parametrize("missing", [1, 3000, 5000])
def test_columns_that_were_cut_off_are_poison_that_says_so(missing: int) -> None:
    columns = TickColumns(np.arange(375), np.arange(375), np.arange(375.0), np.arange(375))
    with pytest.raises(PoisonMessage, match="EOFError"):
        decode("ticks", encode(tick_batch(columns=columns))[:-missing])


def test_an_event_on_the_wrong_topic_is_poison() -> None:
    assert_poison("control", encode(sample(StrategySignal)))
    assert_poison("ticks", encode(sample(StrategySignal)))
    assert_poison("orders", encode(tick_batch()))


def test_an_unknown_topic_is_an_error_of_the_caller() -> None:
    with pytest.raises(UnknownTopic, match="odrers"):
        decode("odrers", b"{}")


@pytest.mark.parametrize("event", event_classes(), ids=lambda event: event.__name__)
def test_a_record_carries_an_event_to_its_topic(event: type[Event]) -> None:
    one = sample(event)
    record = record_of(one)
    table = TOPICS[TOPIC_OF[one.type]]
    assert (record.topic, record.key) == (table.name, table.key_of(one))
    assert record.timestamp_ms == one.occurred_ms
    assert record.headers == (("type", event.__name__.encode()),)
    assert record.partition == table.partition_for(one, table.partitions)


def test_a_record_may_go_to_a_named_topic_with_its_real_partitions() -> None:
    assert record_of(candle_batch(), "historical_candles").topic == "historical_candles"
    assert record_of(sample(StrategySignal), partitions=1).partition == 0


def message_of(event: Event) -> Message:
    record = record_of(event)
    return Message(record.topic, record.partition or 0, 0, record.key, record.value, 0)


def test_a_message_that_several_groups_get_is_decoded_once() -> None:
    decoder, message = Decoder(remembered=2), message_of(sample(StrategySignal))
    first = decoder.event_of(message)
    assert decoder.event_of(message) is first
    assert first == event_of(message)


def test_the_decoder_forgets_the_oldest_message() -> None:
    decoder = Decoder(remembered=2)
    messages = [message_of(sample(StrategySignal)) for _ in range(3)]
    first, _, third = (decoder.event_of(message) for message in messages)
    assert decoder.event_of(messages[2]) is third
    assert decoder.event_of(messages[0]) is not first


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_never_arrives_as_another_number(number: float) -> None:
    signal = sample(StrategySignal).model_copy(update={"stop_loss": number})
    with pytest.raises(PoisonMessage, match="stop_loss: Input should be a valid number"):
        decode("strategy_signals", encode(signal))

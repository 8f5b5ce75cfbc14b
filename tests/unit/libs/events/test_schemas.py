"""The published schemas are those of the classes, and no class has broken its own."""

import json
from decimal import Decimal
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import fastavro
import pytest

from libs.events import publish_schemas
from libs.events.codec import decode, encode
from libs.events.event import Event
from libs.events.orders import OrderFilled
from libs.events.publish_schemas import (
    FOLDER,
    problems_of,
    publish,
    published_events,
    schema_name,
    schema_of,
    schema_text,
)
from libs.events.schemas.compatibility import avro_problems
from libs.events.ticks import COLUMN_TYPES, REQUIRED, TickBatch
from tests.unit.libs.events.samples import event_classes, golden_file, sample, tick_batch

COMMAND = "python -m libs.events.publish_schemas"
each_event = pytest.mark.parametrize("event", published_events(), ids=lambda each: each.__name__)


def avro_schemas() -> list[dict[str, Any]]:
    """Every published version of TickBatch, oldest first."""
    paths = FOLDER.glob("TickBatch.*.avsc")
    return [json.loads(path.read_text()) for path in sorted(paths, key=version_of)]


def version_of(path: Path) -> int:
    return int(path.name.split(".")[1])


@each_event
def test_the_published_schema_is_that_of_the_class(event: type[Event]) -> None:
    path = FOLDER / schema_name(event)
    assert path.exists(), f"{event.__name__} has no schema: run {COMMAND}"
    assert path.read_text() == schema_text(event), f"{event.__name__} has changed: run {COMMAND}"


@each_event
def test_no_class_has_broken_its_published_schema(event: type[Event]) -> None:
    assert problems_of(event) == []


def test_every_event_has_a_schema_and_every_schema_an_event() -> None:
    named = {path.name.split(".")[0] for path in FOLDER.glob("*.*.*") if path.suffix != ".py"}
    assert named == {event.__name__ for event in event_classes()}


@each_event
def test_a_schema_describes_what_travels(event: type[Event]) -> None:
    body = json.loads(encode(sample(event)))
    schema = schema_of(event)
    may_lack = {name for name, field in event.model_fields.items() if field.exclude_if}
    assert set(schema["properties"]) - set(body) <= may_lack
    assert set(schema["required"]) <= set(body) <= set(schema["properties"])
    assert schema["properties"]["type"]["const"] == event.__name__


def test_money_is_a_string_that_says_it_is_a_number() -> None:
    assert schema_of(OrderFilled)["properties"]["fill_price"] == {
        "format": "decimal",
        "type": "string",
    }
    one = sample(OrderFilled).model_copy(update={"fill_price": Decimal("0.10")})
    assert json.loads(encode(one))["fill_price"] == "0.10"


class TestPublish:
    """The command, on a folder of its own."""

    def test_it_writes_every_schema(self, tmp_path: Path) -> None:
        assert publish(tmp_path) == []
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
            schema_name(event) for event in published_events()
        )

    def test_it_writes_a_compatible_change(self, tmp_path: Path) -> None:
        publish(tmp_path)
        path = tmp_path / schema_name(OrderFilled)
        path.write_text(json.dumps(without_field(json.loads(path.read_text()), "reason")))
        assert publish(tmp_path) == []
        assert path.read_text() == schema_text(OrderFilled)

    def test_it_refuses_an_incompatible_change_and_leaves_the_file(self, tmp_path: Path) -> None:
        publish(tmp_path)
        path = tmp_path / schema_name(OrderFilled)
        older = path.read_text().replace('"fill_price"', '"price_of_fill"')
        path.write_text(older)
        assert publish(tmp_path) == [
            "OrderFilled.price_of_fill: removed",
            "OrderFilled.fill_price: is required, was new",
        ]
        assert path.read_text() == older

    def test_a_raised_version_has_a_file_of_its_own(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        publish(tmp_path)
        monkeypatch.setitem(publish_schemas.VERSIONS, "OrderFilled", 2)
        assert publish(tmp_path) == []
        assert {path.name for path in tmp_path.glob("OrderFilled.*")} == {
            "OrderFilled.1.json",
            "OrderFilled.2.json",
        }

    def test_the_command_says_what_it_refused_and_fails(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(publish_schemas, "publish", lambda: ["OrderFilled.price: removed"])
        assert publish_schemas.main() == 1
        assert "  OrderFilled.price: removed\n" in capsys.readouterr().err

    def test_the_command_is_silent_when_all_is_well(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(publish_schemas, "publish", list)
        assert publish_schemas.main() == 0
        assert capsys.readouterr().err == ""


def without_field(schema: dict[str, Any], name: str) -> dict[str, Any]:
    return schema | {"properties": {k: v for k, v in schema["properties"].items() if k != name}}


def test_the_tick_schema_holds_the_columns_in_their_order_with_their_types() -> None:
    fields = {field["name"]: field for field in avro_schemas()[-1]["fields"]}
    columns = [name for name in fields if name in COLUMN_TYPES]
    assert columns == list(COLUMN_TYPES)
    for name, kind in COLUMN_TYPES.items():
        assert fields[name]["type"] == "bytes"
        assert fields[name]["doc"].split(",")[0] == kind
    assert set(REQUIRED) <= set(columns)


def test_the_tick_schema_holds_every_field_of_the_class() -> None:
    named = {field["name"] for field in avro_schemas()[-1]["fields"]} - set(COLUMN_TYPES)
    carried = set(TickBatch.model_fields) - {"type", "columns", "causation_id"}
    assert named == carried | {"rows"}


def test_each_tick_schema_reads_what_the_one_before_wrote() -> None:
    versions = avro_schemas()
    pairs = list(pairwise([versions[0], *versions]))
    assert [avro_problems(old, new) for old, new in pairs] == [[] for _ in pairs]


@pytest.mark.parametrize("schema", avro_schemas(), ids=lambda each: str(each["name"]))
def test_ticks_written_with_any_published_schema_can_be_read(schema: dict[str, Any]) -> None:
    newest = fastavro.parse_schema(avro_schemas()[-1])
    fields = fastavro.schemaless_reader(BytesIO(encode(tick_batch())[10:]), newest, None)
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    out = BytesIO()
    out.write(b"\xc3\x01")
    out.write(bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO")))
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), fields)
    assert decode("ticks", out.getvalue()).event_id == tick_batch().event_id


def test_the_fingerprint_of_the_first_tick_schema_never_changes() -> None:
    canonical = fastavro.schema.to_parsing_canonical_form(avro_schemas()[0])
    assert fastavro.schema.fingerprint(canonical, "CRC-64-AVRO") == "33e08c73bc505ce8"
    assert golden_file(TickBatch).read_bytes()[:10].hex() == "c30133e08c73bc505ce8"


def test_ticks_are_written_with_the_newest_schema() -> None:
    canonical = fastavro.schema.to_parsing_canonical_form(avro_schemas()[-1])
    print_hex = fastavro.schema.fingerprint(canonical, "CRC-64-AVRO")
    assert encode(tick_batch())[:10].hex() == f"c301{print_hex}"


def test_a_batch_of_before_the_time_of_the_last_trade_travelled_does_not_have_it() -> None:
    batch = decode("ticks", golden_file(TickBatch).read_bytes())
    assert isinstance(batch, TickBatch)
    assert (batch.columns.last_trade_time, batch.columns.open_price) == (None, None)

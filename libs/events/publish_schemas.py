"""Write the JSON Schemas of the event classes: python -m libs.events.publish_schemas

A published schema may only get optional additions. Any other change needs a new version in
`VERSIONS`, and a decoder that still reads the old bytes. The Avro schema of TickBatch is written
by hand.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from libs.events.event import Event
from libs.events.schemas.compatibility import json_problems
from libs.events.ticks import TickBatch
from libs.events.topics import TOPICS

FOLDER = Path(__file__).parent / "schemas"
VERSIONS: dict[str, int] = {}
"""Event type → version of its schema, if it is not 1."""


def published_events() -> list[type[Event]]:
    """Return the event classes of the topic table that are encoded as JSON."""
    events = {event: None for topic in TOPICS.values() for event in topic.events}
    return [event for event in events if event is not TickBatch]


def schema_name(event: type[Event]) -> str:
    """Return the file name of an event's schema."""
    return f"{event.__name__}.{VERSIONS.get(event.__name__, 1)}.json"


def schema_of(event: type[Event]) -> dict[str, Any]:
    """Return the JSON Schema of an event."""
    schema = event.model_json_schema(mode="serialization", schema_generator=_Generator)
    return {"$schema": GenerateJsonSchema.schema_dialect} | schema


def schema_text(event: type[Event]) -> str:
    """Return the text of an event's schema file."""
    return json.dumps(schema_of(event), indent=2, ensure_ascii=False) + "\n"


def problems_of(event: type[Event], folder: Path = FOLDER) -> list[str]:
    """Return how a class breaks its published schema; empty if there is none yet."""
    path = folder / schema_name(event)
    if not path.exists():
        return []
    published = json.loads(path.read_text())
    return [f"{event.__name__}{each}" for each in json_problems(published, schema_of(event))]


def publish(folder: Path = FOLDER) -> list[str]:
    """Write the schemas that changed compatibly; return the refusals, one line each."""
    refused = []
    for event in published_events():
        problems = problems_of(event, folder)
        refused += problems
        if not problems:
            (folder / schema_name(event)).write_text(schema_text(event))
    return refused


def main() -> int:
    """Publish; print refusals and return 1 if there are any."""
    lines = list(_lines(publish()))
    sys.stderr.write("".join(f"{line}\n" for line in lines))
    return 1 if lines else 0


def _lines(refused: list[str]) -> Iterator[str]:
    if refused:
        yield "not written, because bytes that were recorded could no longer be read:"
        yield from (f"  {problem}" for problem in refused)
        yield "add a version in VERSIONS, or only optional fields"


class _Generator(GenerateJsonSchema):
    """Leaves out titles that repeat names; gives Decimal strings the format `decimal`."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Return False: the field's name is enough."""
        return False

    def decimal_schema(self, schema: Any) -> dict[str, Any]:
        """Return a string of format `decimal`."""
        return super().decimal_schema(schema) | {"format": "decimal"}


if __name__ == "__main__":
    sys.exit(main())

"""What may change in a schema within its version, and what may not."""

from copy import deepcopy
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from libs.events.schemas.compatibility import avro_problems, json_problems


class Place(BaseModel):
    street: str
    number: int


class Visit(BaseModel):
    at: Place
    kind: Literal["short", "long"]
    guests: tuple[str, ...]
    costs: dict[str, float]
    note: str = ""
    left: int | None = None


OLD: dict[str, Any] = Visit.model_json_schema(mode="serialization")


def changed(*path: str, to: Any = None) -> dict[str, Any]:
    """The schema with one part replaced, or removed."""
    schema = deepcopy(OLD)
    part = schema
    for name in path[:-1]:
        part = part[name]
    if to is None:
        del part[path[-1]]
    else:
        part[path[-1]] = to
    return schema


def test_an_unchanged_schema_is_compatible() -> None:
    assert json_problems(OLD, deepcopy(OLD)) == []


@pytest.mark.parametrize(
    "new",
    [
        changed("properties", "added", to={"type": "string"}),
        changed("properties", "kind", "enum", to=["short", "long", "very long"]),
        changed("$defs", "Place", "properties", "added", to={"type": "integer"}),
        changed("required", to=["at", "kind"]),
        changed("title", to="a better title"),
        changed("properties", "note", "default", to="another default"),
    ],
    ids=["field", "enum", "inner field", "fewer required", "title", "default"],
)
def test_additions_and_words_are_compatible(new: dict[str, Any]) -> None:
    assert json_problems(OLD, new) == []


@pytest.mark.parametrize(
    ("new", "problem"),
    [
        (changed("properties", "note"), ".note: removed"),
        (changed("$defs", "Place", "properties", "street"), ".at.street: removed"),
        (changed("required", to=[*OLD["required"], "note"]), ".note: is required, was optional"),
        (changed("properties", "note", "type", to="integer"), ".note: type was string, is integer"),
        (
            changed("$defs", "Place", "properties", "number", "type", to="number"),
            ".at.number: type was integer, is number",
        ),
        (changed("properties", "note", "format", to="date"), ".note: format was None, is date"),
        (changed("properties", "kind", "enum", to=["short"]), ".kind: no longer allows 'long'"),
        (
            changed("properties", "note", "enum", to=["", "x"]),
            ".note: any value was allowed, now only ['', 'x']",
        ),
        (
            changed("properties", "guests", "items", to={"type": "integer"}),
            ".guests[]: type was string, is integer",
        ),
        (
            changed("properties", "costs", "additionalProperties", to={"type": "string"}),
            ".costs[]: type was number, is string",
        ),
        (changed("properties", "left", "anyOf", to=[{"type": "null"}]), ".left: had 2 choices"),
        (
            changed("properties", "guests", "minItems", to=1),
            ".guests: minItems was None, is 1",
        ),
        (changed("properties", "guests", "items"), ".guests[]: items was"),
        (changed("properties", "kind", to={"const": "long"}), ".kind: no longer allows 'short'"),
    ],
)
def test_what_old_bytes_could_not_pass_is_told(new: dict[str, Any], problem: str) -> None:
    assert any(each.startswith(problem) for each in json_problems(OLD, new))


def test_a_new_required_field_is_refused() -> None:
    new = changed("properties", "added", to={"type": "string"})
    new["required"] = [*OLD["required"], "added"]
    assert json_problems(OLD, new) == [".added: is required, was new"]


def test_a_renamed_field_is_one_removed() -> None:
    new = changed("properties", "note")
    new["properties"]["remark"] = OLD["properties"]["note"]
    assert json_problems(OLD, new) == [".note: removed"]


def test_a_value_may_become_one_of_several() -> None:
    one = {"properties": {"kind": {"const": "a", "type": "string"}}}
    several = {"properties": {"kind": {"enum": ["a", "b"], "type": "string"}}}
    assert json_problems(one, several) == []
    assert json_problems(several, one) == [".kind: no longer allows 'b'"]


def test_every_problem_is_told() -> None:
    new = changed("properties", "note")
    new["properties"]["kind"]["enum"] = []
    assert len(json_problems(OLD, new)) == 3


AVRO: dict[str, Any] = {
    "type": "record",
    "name": "R",
    "fields": [{"name": "a", "type": "int"}, {"name": "b", "type": "bytes", "doc": "<f8"}],
}


@pytest.mark.parametrize(
    ("fields", "problems"),
    [
        ([*AVRO["fields"]], []),
        ([*AVRO["fields"], {"name": "c", "type": "int", "default": 0}], []),
        ([*AVRO["fields"], {"name": "c", "type": "int"}], ["c: new, without a default"]),
        ([AVRO["fields"][0]], ["b: removed"]),
        ([{"name": "a", "type": "long"}, AVRO["fields"][1]], ["a: was int, is long"]),
    ],
)
def test_an_avro_record_may_only_gain_fields_with_a_default(
    fields: list[dict[str, Any]], problems: list[str]
) -> None:
    assert avro_problems(AVRO, AVRO | {"fields": fields}) == problems

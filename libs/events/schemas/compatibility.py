"""Compares schemas: whether a newer one can still read what an older one wrote. Pure.

Within a version only optional additions are allowed: no field removed, renamed or retyped, no
new required field, no narrowed enum.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

_KIND = ("type", "format", "pattern")
_LIMITS = (
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minLength", "maxLength", "minItems", "maxItems", "uniqueItems"),
)
_INNER = ("items", "additionalProperties")


def json_problems(old: Schema, new: Schema) -> list[str]:
    """Return what makes a JSON Schema incompatible with an older one; empty when nothing does."""
    return list(_problems("", _Node(old, old), _Node(new, new)))


def avro_problems(old: Schema, new: Schema) -> list[str]:
    """Return why an Avro schema cannot read the records of an older one; empty if it can."""
    was, now = ({field["name"]: field for field in each["fields"]} for each in (old, new))
    problems = [f"{name}: removed" for name in was if name not in now]
    for name, field in now.items():
        if name not in was:
            problems += [] if "default" in field else [f"{name}: new, without a default"]
        elif field["type"] != was[name]["type"]:
            problems.append(f"{name}: was {was[name]['type']}, is {field['type']}")
    return problems


class _Node:
    """A part of a schema, with references to `$defs` resolved."""

    def __init__(self, part: Any, whole: Schema) -> None:
        while isinstance(part, Mapping) and "$ref" in part:
            part = whole["$defs"][part["$ref"].rpartition("/")[2]]
        self.part: Schema = part if isinstance(part, Mapping) else {}
        self._whole = whole

    def at(self, part: Any) -> "_Node":
        return _Node(part, self._whole)

    def get(self, key: str) -> Any:
        return self.part.get(key)

    @property
    def fields(self) -> Mapping[str, Any]:
        fields: Mapping[str, Any] = self.part.get("properties", {})
        return fields

    @property
    def required(self) -> set[str]:
        return set(self.part.get("required", ()))

    @property
    def allowed(self) -> list[Any] | None:
        """The values of an enum, None if any value is allowed."""
        if "const" in self.part:
            return [self.part["const"]]
        values: list[Any] | None = self.part.get("enum")
        return values

    @property
    def choices(self) -> "list[_Node]":
        parts = [*self.part.get("anyOf", ()), *self.part.get("prefixItems", ())]
        return [self.at(part) for part in parts]


def _problems(path: str, old: _Node, new: _Node) -> Iterator[str]:
    for key in (*_KIND, *_LIMITS):
        if old.get(key) != new.get(key):
            yield f"{path or 'body'}: {key} was {old.get(key)}, is {new.get(key)}"
    yield from _narrowed(path, old, new)
    yield from _field_problems(path, old, new)
    for key in _INNER:
        yield from _inner_problems(f"{path}[]", key, old, new)
    if len(old.choices) != len(new.choices):
        yield f"{path or 'body'}: had {len(old.choices)} choices, has {len(new.choices)}"
    for before, after in zip(old.choices, new.choices, strict=False):
        yield from _problems(path, before, after)


def _narrowed(path: str, old: _Node, new: _Node) -> Iterator[str]:
    if new.allowed is None:
        return
    if old.allowed is None:
        yield f"{path or 'body'}: any value was allowed, now only {new.allowed}"
        return
    for value in old.allowed:
        if value not in new.allowed:
            yield f"{path or 'body'}: no longer allows {value!r}"


def _field_problems(path: str, old: _Node, new: _Node) -> Iterator[str]:
    for name, part in old.fields.items():
        if name not in new.fields:
            yield f"{path}.{name}: removed"
            continue
        yield from _problems(f"{path}.{name}", old.at(part), new.at(new.fields[name]))
    for name in sorted(new.required - old.required):
        was = "optional" if name in old.fields else "new"
        yield f"{path}.{name}: is required, was {was}"


def _inner_problems(path: str, key: str, old: _Node, new: _Node) -> Iterator[str]:
    if (old.get(key) is None) != (new.get(key) is None):
        yield f"{path}: {key} was {old.get(key)}, is {new.get(key)}"
    elif old.get(key) is not None:
        yield from _problems(path, old.at(old.get(key)), new.at(new.get(key)))

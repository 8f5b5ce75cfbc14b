"""Where settings were set: variables, secret files and the settings file, the strongest first.

A variable sets one key, `ALPHASTOCKS_EXECUTOR__SIZING__RISK`, or a group of keys as JSON. A secret
file is named in the same way, without the prefix.
"""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel

Key = Sequence[str | int]
DELIMITER = "__"
_ABSENT = object()


@dataclasses.dataclass(frozen=True, slots=True)
class Origin:
    """A place that sets a key or a group; `repr` hides the value, which may be a secret."""

    place: str
    key: tuple[str, ...]
    value: Any = dataclasses.field(repr=False)
    text: str = dataclasses.field(default="", repr=False)

    def sets(self, key: Key) -> bool:
        """Whether the place sets a key, or a part of a group."""
        shared = min(len(key), len(self.key))
        if tuple(key[:shared]) != self.key[:shared]:
            return False
        return _within(self.value, key[shared:]) is not _ABSENT

    def decides(self, key: Key) -> bool:
        """Whether the place alone decides a key: it sets one value, no group."""
        is_below = len(self.key) > len(key)
        return not is_below and not isinstance(_within(self.value, key[len(self.key) :]), dict)


def of_variables(prefix: str, environment: Mapping[str, str]) -> list[Origin]:
    """Return what variables with a prefix set."""
    return [
        _origin(name, name[len(prefix) :], text)
        for name, text in environment.items()
        if name.upper().startswith(prefix)
    ]


def of_secrets(folders: Iterable[Path]) -> list[Origin]:
    """Return what the files of folders set, those of the last folder first; all are readable."""
    files = [file for folder in folders for file in sorted(folder.iterdir()) if is_secret(file)]
    return [_origin(str(file), file.name, file.read_text()) for file in files[::-1]]


def is_secret(file: Path) -> bool:
    """Whether a file of a folder of secrets is one; the others belong to the mount."""
    return file.is_file() and not file.name.startswith(".")


def place_of(key: Key, origins: Sequence[Origin]) -> str:
    """Return the place that set a key, or all places that set parts of a group; "" for a default.

    For a missing key these are the places that set its group.
    """
    for length in range(len(key), 0, -1):
        found = [one for one in origins if one.sets(key[:length])]
        if found:
            alone = found[0].decides(key[:length])
            return " and ".join(one.place for one in (found[:1] if alone else found))
    return ""


def keys_of(model: Any, key: Key) -> list[str]:
    """Return the names of the keys in a group of a settings class."""
    groups = list(_groups(model))
    for part in key:
        if isinstance(part, str):
            groups = [inner for group in groups for inner in _groups(_fields(group).get(part))]
    return [name for group in groups for name in _fields(group)]


def _groups(annotation: Any) -> Iterator[Any]:
    """Yield the classes with keys that an annotation names, within tuples and unions too."""
    is_class = isinstance(annotation, type)
    if is_class and (issubclass(annotation, BaseModel) or dataclasses.is_dataclass(annotation)):
        yield annotation
    for inner in get_args(annotation):
        yield from _groups(inner)


def _fields(group: Any) -> dict[str, Any]:
    if issubclass(group, BaseModel):
        return {name: field.annotation for name, field in group.model_fields.items()}
    hints = get_type_hints(group)
    return {field.name: hints[field.name] for field in dataclasses.fields(group)}


def _origin(place: str, name: str, text: str) -> Origin:
    return Origin(place, tuple(name.lower().split(DELIMITER)), _value(text), text)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _within(value: Any, key: Key) -> Any:
    """Return the value at a key within a value, or that it is absent."""
    for part in key:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return _ABSENT
    return value

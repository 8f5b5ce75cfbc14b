"""Write docs/configuration.md from the settings classes: python -m services.local.configuration"""

import dataclasses
import inspect
import sys
from collections.abc import Callable, Iterator
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from libs.runtime.settings import PREFIX, SECRETS
from services.local.settings import LocalSettings

PAGE = Path("docs/configuration.md")
_HEAD = f"""# Configuration

Every setting, with its default. `config/alphastocks.toml` shows them as a file to begin with.

- **A file**: `--config FILE`, TOML, one section for each heading below. `alphastocks` reads
  `config/alphastocks.toml` by itself if it is there.
- **The environment** overrides the file: `{PREFIX}EXECUTOR__MODE=paper` sets `mode` in
  `[executor]`, and `{PREFIX}EXECUTOR__LIMITS='{{"positions": 2}}'` sets one key of a group.
- **Secret files** override the file, and the environment overrides them.
  `{SECRETS}=/run/secrets/store:/run/secrets/kite` names folders; a file `store__password` in one
  of them sets `password` in `[store]`. Docker and Kubernetes mount secrets this way.

An unknown key, an invalid value, a variable with the prefix that is no setting, or a secret file
with an unknown name stops the start with exit status 2 and one line: the variable or the file, the
key, and the nearest known name. Values of secrets are never shown.

This page is written by `python -m services.local.configuration`; a test fails when it is out of
date.
"""


def page() -> str:
    """Return the page."""
    return "\n".join((_HEAD, *_sections()))


def _sections() -> Iterator[str]:
    for name, info in LocalSettings.model_fields.items():
        section = info.annotation
        if not (inspect.isclass(section) and issubclass(section, BaseModel)):
            raise TypeError(f"{name} is not a section")
        yield f"## [{name}]\n\n{_summary(section)}\n"
        yield "| key | default | meaning |\n|---|---|---|"
        yield from (_row(key, field) for key, field in section.model_fields.items())
        yield ""
        yield from _groups(section)


def _row(key: str, field: FieldInfo) -> str:
    """Return the row of a setting; a group of keys refers to its own table below."""
    default = _default(field)
    shown = "below" if _keys(default) else f"`{_shown(default)}`"
    return f"| `{key}` | {shown} | {field.description or ''} |"


def _groups(section: type[BaseModel]) -> Iterator[str]:
    """Yield a table of keys for each setting that is a group."""
    for key, field in section.model_fields.items():
        default = _default(field)
        if names := _keys(default):
            yield f"**`{key}`** {_flowing(type(default))}\n"
            yield "| key | default |\n|---|---|"
            yield from (f"| `{key}.{one}` | `{_shown(getattr(default, one))}` |" for one in names)
            yield ""


def _keys(default: Any) -> list[str]:
    """Return the keys of a default that is a group, none for a single value."""
    if isinstance(default, BaseModel):
        return list(type(default).model_fields)
    is_group = dataclasses.is_dataclass(default)
    return [one.name for one in dataclasses.fields(default)] if is_group else []


def _default(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True, validated_data={})


def _summary(section: type) -> str:
    return (inspect.getdoc(section) or "").strip()


def _flowing(described: type) -> str:
    """Return a docstring as one line."""
    return " ".join((inspect.getdoc(described) or "").split())


def _shown(value: Any) -> str:
    """Return a default as it is written in TOML; `none` for None."""
    for kinds, write in _WRITERS:
        if isinstance(value, kinds):
            return write(value)
    raise TypeError(f"a default of an unknown type: {value!r}")


def _table(value: BaseModel) -> str:
    given = value.model_dump(exclude_defaults=True)
    return f"{{ {', '.join(f'{key} = {_shown(one)}' for key, one in given.items())} }}"


_WRITERS: tuple[tuple[type | tuple[type, ...], Callable[[Any], str]], ...] = (
    (SecretStr, lambda _: '""'),
    (type(None), lambda _: "none"),
    (bool, lambda value: str(value).lower()),
    ((tuple, list), lambda value: f"[{', '.join(_shown(one) for one in value)}]"),
    (BaseModel, _table),
    ((str, Path, Decimal), lambda value: f'"{value}"'),
    (time, lambda value: f'"{value:%H:%M}"'),
    ((date, int, float), str),
)


def main() -> None:
    """Write the page."""
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE} is up to date\n")


if __name__ == "__main__":
    main()

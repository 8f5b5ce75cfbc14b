"""Write docs/configuration.md from the settings classes: python -m services.local.configuration"""

import dataclasses
import inspect
import sys
from collections.abc import Callable, Iterator
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from libs.market.bounds import Unit
from libs.market.time_of_day import TimeOfDay
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

Each number and time has a unit and bounds, and each name is one of a list. What is outside them,
or contradicts another setting, stops the start: `executor.sizing.risk: 2 means 200 %; a fraction is
wanted: write "0.02" for 2 %`. Times are in India, within the hours of the exchange; money is in
rupees; a key that ends in `_ms` is in milliseconds, one in `_seconds` in seconds.

What belongs together is compared. By the executor:
- `sizing.risk` is at most `sizing.max_position`, `limits.capital_at_risk` and `limits.daily_loss`;
- `limits.positions_per_underlying` is at most `limits.positions`, `orders.exit_retry_ms` at most
  `orders.exit_timeout_ms`, and one of the `weights` is above 0;
- `profile` and those of `profile_of` are known, no profile of your own is called like one of the
  program's, and none risks more than its `max_position`, `limits.capital_at_risk` and
  `limits.daily_loss`, or holds over night with the product MIS;
- `orders.doubt_ms` is longer than `kite.timeout_seconds`, unless the venue is paper.

By the executor and by position: a `last_entry` or `square_off` of your own comes before the time at
which `before_close_ms` ends every day. By signal: the `windows` of `filters` do not overlap, no
underlying is both allowed and excluded, and one with a strength of its `own` passes. By candle:
`grace_ms` is less than `revision_ms`. By strategy: `periods` holds the candles that each strategy
needs. By every `alphastocks` command:
- `entry.last_entry` is before `exits.square_off`, and `entry.before_close_ms` and
  `entry.before_expiry_ms` are more than those of `exits`;
- `exits.square_off` is before the broker's own square-off, for the product MIS;
- `entry.underlyings` pass the `filters` of signals, and one of their `windows` begins before
  `entry.last_entry`;
- the names in `profile_of`, `entry.windows_of` and `budgets.strategies` are those of strategies.

By `demo` and `up`, besides: `chain.strikes_from_atm` is at most `universe.near_strikes`, which also
holds the strikes that a profile in use wants (by percent: a strike for each 0.2 %),
`universe.expiries` holds the one that `chain.expiry` wants, and `entry.underlyings` and those of
the signals' `filters` are among `universe.underlyings`.

The services of compose and Kubernetes read their own sections, so each compares what it knows. The
jobs there that make topics and tables are `alphastocks` commands: they compare the executor with
position, and fail before a service starts, if they get the same settings as these.
`universe.underlyings` are looked up in the broker's list of instruments of the day.

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
        yield "| key | default | bounds | meaning |\n|---|---|---|---|"
        hints = get_type_hints(section, include_extras=True)
        yield from (_row(key, field, hints[key]) for key, field in section.model_fields.items())
        yield ""
        yield from _groups(section)


def _row(key: str, field: FieldInfo, hint: Any) -> str:
    """Return the row of a setting; a group of keys refers to its own table below."""
    default = _default(field)
    shown = "below" if _keys(default) else f"`{_shown(default)}`"
    return f"| `{key}` | {shown} | {bounds_of(hint)} | {field.description or ''} |"


def bounds_of(hint: Any) -> str:
    """Return unit and bounds of a type, and of the keys of a group that is not there by default."""
    for one in _parts(hint):
        if isinstance(one, Unit):
            return f"{one.noun} {one.bounds}"
        if isinstance(one, TimeOfDay):
            return f"a time {one.bounds}"
    bare = get_args(hint)[0] if hasattr(hint, "__metadata__") else hint
    types = [
        one for one in get_args(bare) if inspect.isclass(one) and dataclasses.is_dataclass(one)
    ]
    own = get_type_hints(types[0], include_extras=True) if types else {}
    bounds = {key: bounds_of(one) for key, one in own.items()}
    return "; ".join(f"`{key}`: {text}" for key, text in bounds.items() if text)


def _parts(hint: Any) -> Iterator[Any]:
    """Yield the metadata of a type and of the types within it."""
    yield from getattr(hint, "__metadata__", ())
    for one in get_args(hint):
        yield from _parts(one)


def _groups(section: type[BaseModel]) -> Iterator[str]:
    """Yield a table of keys for each setting that is a group."""
    for key, field in section.model_fields.items():
        yield from _group(key, _default(field))


def _group(key: str, default: Any) -> Iterator[str]:
    """Yield the table of a group, then those of the groups within it."""
    if not (names := _keys(default)):
        return
    hints = get_type_hints(type(default), include_extras=True)
    values = {name: getattr(default, name) for name in names}
    within = {name: value for name, value in values.items() if _keys(value)}
    yield f"**`{key}`** {_flowing(type(default))}\n"
    yield "| key | default | bounds |\n|---|---|---|"
    for name in names:
        shown = "below" if name in within else f"`{_shown(values[name])}`"
        bounds = "" if name in within else bounds_of(hints[name])
        yield f"| `{key}.{name}` | {shown} | {bounds} |"
    yield ""
    for name, value in within.items():
        yield from _group(f"{key}.{name}", value)


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
    (dict, lambda value: "{}" if not value else str(value)),
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

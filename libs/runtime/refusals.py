"""Why settings are refused: one line that names the place, the key, and what was probably meant."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource
from pydantic_settings import SettingsError as PydanticSettingsError

from libs.errors import AlphaStocksError
from libs.market.names import nearest
from libs.runtime.origins import DELIMITER, Origin, is_secret, keys_of, place_of

PREFIX = "ALPHASTOCKS_"
SECRETS = f"{PREFIX}SECRETS"
"""The variable that names the folders of secret files, separated by colons."""
OTHER_VARIABLES = frozenset(
    f"{PREFIX}{name}"
    for name in (
        *("SECRETS", "CONTROL_TOKEN", "CONTROL_TOKEN_FILE", "CONTROL_URL", "KAFKA_JARS"),
        *("KEYSTORE_PASSWORD", "RECORDED_DATA", "TEST_KAFKA", "TEST_CLICKHOUSE"),
    )
)
"""The variables with the prefix that set no setting."""
_SERVICES = Path(__file__).parents[2] / "services"
SECTIONS = frozenset(
    {
        *("rules", "runtime", "bus", "store", "kite"),
        *(domain.parent.name for domain in _SERVICES.glob("*/domain")),
    }
)
"""The shared sections, and one for each service, named as its folder."""
_UNKNOWN = frozenset({"extra_forbidden", "unexpected_keyword_argument"})
_NO_GROUP = frozenset({"model_type", "dataclass_type"})
Model = type[BaseSettings]


class SettingsError(AlphaStocksError):
    """Settings that cannot be used; one line that names the key."""


def meant(name: str, known: Iterable[str]) -> str:
    """Return `did you mean X?` for the nearest known name, or else `known: A, B`."""
    names = sorted(known)
    near = nearest(name, names)
    return f"did you mean {near}?" if near else f"known: {', '.join(names)}"


def read_file(file: Path) -> dict[str, Any]:
    """Return the content of a settings file."""
    try:
        return tomllib.loads(file.read_text())
    except FileNotFoundError:
        raise SettingsError(f"{file}: no such settings file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: {error}") from None
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}") from None


def refuse_unknown_sections(values: Mapping[str, Any], file: Path | None) -> None:
    """Refuse whatever stands in a file beside the sections."""
    for name, section in values.items():
        if name not in SECTIONS:
            raise SettingsError(f"{file}: unknown section or key {name!r}; {meant(name, SECTIONS)}")
        if not isinstance(section, dict):
            raise SettingsError(f"{file}: {name} must be a section, [{name}]")


def refuse_unknown_variables(model: Model, environment: Iterable[str]) -> None:
    """Refuse a variable that looks like a setting and is none."""
    for variable in environment:
        name = variable.upper()
        if not name.startswith(PREFIX) or name in OTHER_VARIABLES:
            continue
        section, separator, _ = name.removeprefix(PREFIX).lower().partition(DELIMITER)
        if section in SECTIONS:
            continue
        if separator:
            hint = meant(section, SECTIONS)
            raise SettingsError(f"{variable}: unknown section {section!r}; {hint}")
        known = (*OTHER_VARIABLES, *_variables(model))
        raise SettingsError(f"{variable}: no such variable; {meant(name, known)}")


def _variables(model: Model) -> Iterator[str]:
    """Yield the variables that set the keys of each section."""
    for section in model.model_fields:
        for key in keys_of(model, (section,)):
            yield f"{PREFIX}{section}{DELIMITER}{key}".upper()


def refuse_unknown_secrets(folders: Iterable[Path]) -> None:
    """Refuse a folder that cannot be read, and a file that sets nothing."""
    for folder in folders:
        try:
            names = sorted(path.name for path in folder.iterdir() if is_secret(path))
        except OSError as error:
            raise SettingsError(f"{SECRETS}: {folder}: {error.strerror}") from None
        for name in names:
            section, separator, _ = name.lower().partition(DELIMITER)
            if not separator or section not in SECTIONS:
                raise SettingsError(f"{folder / name}: a secret is named section__key")


def why_unreadable(error: OSError | UnicodeDecodeError) -> str:
    """Return why a file cannot be read, without its content."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not text"
    return f"{error.filename}: {error.strerror}"


def first_reason(error: ValidationError, model: Model, origins: Sequence[Origin]) -> str:
    """Return what is wrong with the first key that is refused; never the value of a secret."""
    first = error.errors(include_url=False, include_input=False)[0]
    key, hint = first["loc"], first["msg"].removeprefix("Value error, ")
    if first["type"] in _UNKNOWN:
        hint = f"unknown key; {meant(str(key[-1]), keys_of(model, key[:-1]))}"
    elif first["type"] in _NO_GROUP:
        hint = f"it is a group of keys: {', '.join(keys_of(model, key))}"
    shown = ".".join(str(part) for part in key)
    return f"{place_of(key, origins) or 'settings'}: {shown}: {hint}"


def not_json(model: Model, origins: Iterable[Origin]) -> str:
    """Return which variable or secret file is no JSON, and why; "" if none is."""
    for origin in origins:
        source = EnvSettingsSource(model, env_prefix="")
        source.env_vars = {DELIMITER.join(origin.key): origin.text}
        try:
            source()
        except PydanticSettingsError as error:
            return f"{origin.place}: no JSON: {error.__cause__}"
    return ""

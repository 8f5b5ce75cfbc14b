"""Settings: frozen, typed objects from a TOML file and the environment.

A process reads the sections it needs from one shared file. It refuses to start on an unknown key
or an invalid value, and names the key. The environment overrides the file:
ALPHASTOCKS_EXECUTOR__CAPITAL=500000 sets `capital` in `[executor]`. Secret files come between the
two: ALPHASTOCKS_SECRETS names their folders, and a file `store__password` there sets `password`
in `[store]`.
"""

import os
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import (
    SettingsError as PydanticSettingsError,
)

from libs.broker.kite.settings import KiteSettings as KiteSettings  # noqa: PLC0414  a section like the others
from libs.events.kafka.address import Codec, SaslMechanism, SecurityProtocol
from libs.market.own_rules import OwnRulesError, use_own_rules
from libs.market.units import Count, Milliseconds, Port, Seconds, Times
from libs.runtime.clock import ClockKind
from libs.runtime.logs import LogFormat, LogLevel
from libs.runtime.origins import DELIMITER, Origin, of_secrets, of_variables
from libs.runtime.refusals import PREFIX as PREFIX  # noqa: PLC0414  known by this module's name
from libs.runtime.refusals import SECRETS as SECRETS  # noqa: PLC0414  like the prefix
from libs.runtime.refusals import SECTIONS as SECTIONS  # noqa: PLC0414  like the prefix
from libs.runtime.refusals import SettingsError as SettingsError  # noqa: PLC0414  like the prefix
from libs.runtime.refusals import (
    first_reason,
    not_json,
    read_file,
    refuse_unknown_secrets,
    refuse_unknown_sections,
    refuse_unknown_variables,
    why_unreadable,
)


class Section(BaseModel):
    """A section of the settings: frozen, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RulesSettings(Section):
    """Your own rules over the packaged ones; see docs/rules.md."""

    folder: Path | None = Field(
        None, description="folder of your own holidays, hours, lots and so on; none: there are none"
    )


class RuntimeSettings(Section):
    """How a process runs."""

    clock: ClockKind = Field("feed", description="wall (live) or feed (simulator, replay, demo)")
    pace: Annotated[float, Times(0, 10_000)] = Field(
        1.0, description="the feed's clock between two stamps, times the machine's; 0: it stands"
    )
    log_level: LogLevel = Field("info", description="lowest level that is logged")
    log_format: LogFormat = Field(
        "auto", description="json, text (sentences), or auto: text on a terminal, else json"
    )
    host: str = Field("127.0.0.1", description="address of the health endpoints")
    port: Port = Field(8100, description="first port; each further service has the next one")
    hosts: tuple[str, ...] = Field(
        (), description="names with a dot by which the endpoints may be asked"
    )
    checkpoint_records: Annotated[int, Count(1, 1_000_000, of="messages")] = Field(
        2000, description="commit after so many messages"
    )
    checkpoint_ms: Annotated[int, Milliseconds(1, 60_000)] = Field(
        1000, description="commit after so many milliseconds"
    )
    dead_letter_limit: Annotated[int, Count(0, 100_000, of="dead letters")] = Field(
        100, description="stop past so many dead letters"
    )


class BusSettings(Section):
    """The bus and its address."""

    kind: Literal["local", "kafka"] = Field(
        "local", description="local (inside one process) or kafka"
    )
    market_partitions: Annotated[int, Count(1, 1024, of="partitions")] = Field(
        1, description="partitions of ticks and candles on the local bus"
    )
    bootstrap: str = Field("127.0.0.1:9092", description="Kafka's brokers, host:port,host:port")
    security_protocol: SecurityProtocol = Field(
        "PLAINTEXT", description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"
    )
    sasl_mechanism: SaslMechanism = Field(
        "PLAIN", description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
    )
    user: str = Field("", description="user for SASL")
    password: SecretStr = Field(SecretStr(""), description="its password; never logged")
    ca_file: Path | None = Field(
        None, description="PEM file of the CA that signed the brokers' certificates"
    )
    prefix: str = Field("", description="prefix of the names of all topics and groups")
    instance: str = Field(
        "", description="name of this member that stays over restarts; empty: the host's"
    )
    session_timeout_ms: Annotated[int, Milliseconds(1000, 1_800_000)] = Field(
        10_000, description="a member that is silent for so long loses its partitions"
    )
    connect_seconds: Annotated[float, Seconds(0, 3600)] = Field(
        30.0, description="how long to wait for the broker at the start"
    )
    replication: Annotated[int, Count(1, 9, of="copies")] = Field(
        1, description="copies of each topic that `topics apply` makes"
    )
    compression: Codec = Field(
        "zstd",
        description="how ticks and candles are compressed: none, gzip, snappy, lz4 or zstd",
    )
    max_bytes: Annotated[int, Count(65_536, 1 << 30, of="bytes")] = Field(
        8_388_608, description="the largest record"
    )


class StoreSettings(Section):
    """The address of ClickHouse; without a host a server is started as a child process."""

    host: str = Field("", description="address of a ClickHouse server; empty: start one")
    port: Port = Field(9000, description="its native port")
    user: str = Field("default", description="its user")
    password: SecretStr = Field(SecretStr(""), description="the password; never logged")
    database: str = Field("", description="database; empty: named after the run")
    ttl: bool = Field(False, description="delete old rows by the tables' TTL")
    cluster: str = Field("", description="cluster on whose replicas `migrate` creates the tables")


class ProcessSettings(BaseSettings):
    """The sections that one process reads: from the environment, else secret files, else a file."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=DELIMITER, frozen=True, extra="ignore"
    )

    rules: RulesSettings = RulesSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources, the strongest first: environment, secret files, settings file."""
        secrets = NestedSecretsSettingsSource(
            file_secret_settings,
            secrets_dir=secret_folders(),
            secrets_dir_missing="error",
            secrets_prefix="",
            secrets_nested_delimiter=DELIMITER,
        )
        return env_settings, secrets, init_settings


def secret_folders() -> list[Path]:
    """Return the folders of secret files that the environment names."""
    return [Path(folder) for folder in os.environ.get(SECRETS, "").split(":") if folder]


S = TypeVar("S", bound=ProcessSettings)


def load_settings(model: type[S], file: Path | None) -> S:
    """Return the settings of a process; raise SettingsError naming the place and the key.

    The user's own rules are put over the packaged ones first: bounds of other settings follow them.
    """
    try:
        use_own_rules(rules_folder(file, model))
    except OwnRulesError as error:
        raise SettingsError(f"rules.folder: {error}") from None
    return _loaded(model, file)


def rules_folder(file: Path | None, model: type[ProcessSettings] = ProcessSettings) -> Path | None:
    """Return the folder of the user's own rules, None without one; raise SettingsError."""
    refuse_unknown_sections(read_file(file) if file else {}, file)
    refuse_unknown_variables(model, os.environ)
    refuse_unknown_secrets(secret_folders())
    return _loaded(ProcessSettings, file).rules.folder


def _loaded(model: type[S], file: Path | None) -> S:
    values = read_file(file) if file else {}
    try:
        return model(**values)
    except ValidationError as error:
        of_file = [Origin(str(file), (name,), section) for name, section in values.items()]
        raise SettingsError(first_reason(error, model, [*_outside(), *of_file])) from None
    except PydanticSettingsError as error:
        raise SettingsError(not_json(model, _outside()) or str(error)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{SECRETS}: a secret cannot be read: {why_unreadable(error)}"
        ) from None


def _outside() -> list[Origin]:
    """Return what is set outside the settings file, the strongest first."""
    return [*of_variables(PREFIX, os.environ), *of_secrets(secret_folders())]

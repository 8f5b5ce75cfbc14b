"""Structured logs: sentences on a terminal, else one JSON object a line."""

import logging
import sys
from collections.abc import Mapping
from typing import Literal, TextIO

import stamina
import structlog

from libs.runtime.sentences import tell

LogFormat = Literal["auto", "json", "text"]
LogLevel = Literal["debug", "info", "warning", "error"]
_SILENT = logging.CRITICAL + 1
_SECRET_NAMES = ("password", "token", "secret", "api_key")


def configure_logs(level: LogLevel, format: LogFormat, stream: TextIO | None = None) -> None:
    """Set up the logs of this process; they go to stderr unless a stream is given.

    With `auto` they are text if that is a terminal, else JSON.
    """
    # aiokafka writes lines of its own at each try; its errors reach us as exceptions
    logging.getLogger("aiokafka").setLevel(logging.NOTSET if level == "debug" else _SILENT)
    stamina.instrumentation.set_on_retry_hooks(())  # who retries logs it, with the service's name
    file = stream or sys.stderr
    is_text = file.isatty() if format == "auto" else format == "text"
    renderer: structlog.typing.Processor = tell if is_text else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.format_exc_info,
            hide_secrets,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=file),
        cache_logger_on_first_use=False,
    )


def hide_secrets(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Replace the value of every field with a secret's name, nested ones too."""
    return {name: _shown(name, value) for name, value in event.items()}


def _shown(name: str, value: object) -> object:
    if any(secret in name.lower().replace("instrument_token", "") for secret in _SECRET_NAMES):
        return "***"
    if isinstance(value, Mapping):
        return {key: _shown(str(key), within) for key, within in value.items()}
    if isinstance(value, list | tuple):
        return [_shown("", within) for within in value]
    return value


def logger_of(service: str) -> structlog.typing.FilteringBoundLogger:
    """Return the logger of a service."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(service=service)
    return logger

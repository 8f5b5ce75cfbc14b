import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import stamina

from libs.runtime.logs import LogFormat, LogLevel, configure_logs, logger_of


def logged(level: LogLevel = "info", format: LogFormat = "json", **fields: Any) -> str:
    """What one line at info says."""
    stream = io.StringIO()
    configure_logs(level, format, stream)
    logger_of("candle").info("candle closed", **fields)
    return stream.getvalue()


def test_a_line_is_a_json_object_with_time_level_service_and_event() -> None:
    line = json.loads(logged(tradingsymbol="SBIN"))
    at = datetime.fromisoformat(line.pop("time"))
    assert at.tzinfo == UTC
    assert line == {
        "level": "info",
        "service": "candle",
        "event": "candle closed",
        "tradingsymbol": "SBIN",
    }


def test_what_is_below_the_level_is_not_logged() -> None:
    assert logged("warning") == ""


@pytest.mark.parametrize(
    "name", ["password", "access_token", "API_KEY", "client_secret", "store_password"]
)
@pytest.mark.parametrize("format", ["json", "text"])
def test_a_field_whose_name_says_secret_is_hidden_wherever_it_is(
    name: str, format: LogFormat
) -> None:
    nested = {"address": {name: "hunter2", "host": "here"}, "all": [{name: "hunter2"}]}
    fields: dict[str, Any] = {name: "hunter2", "settings": nested}
    text = logged("info", format, **fields)
    assert "hunter2" not in text
    assert text.count("***") == 3
    assert "here" in text


def test_the_token_of_an_instrument_is_no_secret() -> None:
    line = json.loads(logged(instrument_token=256265, held={"instrument_token": 1}))
    assert line["instrument_token"] == 256265
    assert line["held"] == {"instrument_token": 1}


def test_an_error_is_logged_with_its_traceback() -> None:
    stream = io.StringIO()
    configure_logs("info", "json", stream)
    logger_of("candle").error("handler failed", exc_info=ValueError("no such price"))
    assert "ValueError: no such price" in json.loads(stream.getvalue())["exception"]


def test_text_for_a_terminal_is_one_line() -> None:
    text = logged(format="text", tradingsymbol="SBIN")
    assert "candle closed" in text
    assert "tradingsymbol=SBIN" in text
    assert len(text.splitlines()) == 1


def test_a_retry_is_logged_by_the_one_who_retries_and_by_nobody_else() -> None:
    stream = io.StringIO()
    configure_logs("info", "json", stream)
    tried: list[int] = []
    for attempt in stamina.retry_context(on=ValueError, attempts=2, wait_initial=0, wait_jitter=0):
        with attempt:
            tried.append(1)
            if len(tried) == 1:
                raise ValueError("once")
    assert len(tried) == 2
    assert stream.getvalue() == ""

import json
from typing import Any

import pytest

from libs.broker.errors import (
    BrokerError,
    BrokerUnavailable,
    OrderNotSent,
    OrderRefused,
    OrderUnknown,
    RateLimited,
    ReplyUnreadable,
    RequestRefused,
    SessionExpired,
    SessionMissing,
)
from libs.broker.kite.replies import error_of, placing_error

JSON = "application/json; charset=utf-8"


def said(error_type: str | None, message: str = "no") -> bytes:
    return json.dumps({"status": "error", "error_type": error_type, "message": message}).encode()


@pytest.mark.parametrize(
    ("status", "content_type", "body", "expected"),
    [
        (200, JSON, b'{"data": 1}', None),
        (200, "text/csv", b"a,b", None),
        (403, JSON, said("TokenException"), SessionExpired),
        (400, JSON, said("TokenException"), SessionExpired),
        (403, JSON, said("PermissionException"), RequestRefused),
        (400, JSON, said("InputException"), RequestRefused),
        (400, JSON, said("OrderException"), RequestRefused),
        (400, JSON, said("MarginException"), RequestRefused),
        (404, JSON, said("GeneralException"), RequestRefused),
        (429, JSON, said("NetworkException"), RateLimited),
        (429, "text/html", b"<html>", RateLimited),
        (500, JSON, said("OrderException"), BrokerUnavailable),
        (502, "text/html", b"<html>", BrokerUnavailable),
        (503, JSON, said("NetworkException"), BrokerUnavailable),
        (504, "", b"", BrokerUnavailable),
        (408, JSON, b"{}", BrokerUnavailable),
        (400, JSON, said("NetworkException"), BrokerUnavailable),
        (400, JSON, said("DataException"), ReplyUnreadable),
        (400, JSON, said(None), ReplyUnreadable),
        (400, JSON, b"[]", ReplyUnreadable),
        (400, JSON, b"{", ReplyUnreadable),
        (503, JSON, b"{", BrokerUnavailable),
        (403, "text/html", b"<html>", ReplyUnreadable),
        (302, "text/html", b"", ReplyUnreadable),
        (200, "text/html", b"<html>maintenance", ReplyUnreadable),
        (200, "", b"", ReplyUnreadable),
    ],
)
def test_a_reply_has_one_meaning(
    status: int, content_type: str, body: bytes, expected: type[BrokerError] | None
) -> None:
    error = error_of(status, content_type, body, 10_000)
    assert type(error) is (expected or type(None))


def test_a_refusal_carries_kites_words_and_reason() -> None:
    error = error_of(400, JSON, said("MarginException", "Insufficient funds."), 0)
    assert isinstance(error, RequestRefused)
    assert error.error_type == "MarginException"
    assert "Insufficient funds." in str(error)


def test_too_many_requests_say_when_to_come_back() -> None:
    error = error_of(429, JSON, b"", 10_000)
    assert isinstance(error, RateLimited)
    assert error.retry_after_ms == 10_000


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (SessionExpired("x"), OrderNotSent),
        (SessionMissing("x"), OrderNotSent),
        (RateLimited("x", 10), OrderNotSent),
        (RequestRefused("x", "InputException"), OrderRefused),
        (RequestRefused("x", "OrderException"), OrderRefused),
        (RequestRefused("x", "PermissionException"), OrderRefused),
        (RequestRefused("x", "GeneralException"), OrderUnknown),
        (BrokerUnavailable("x", was_sent=False), OrderNotSent),
        (BrokerUnavailable("x"), OrderUnknown),
        (ReplyUnreadable("x"), OrderUnknown),
        (BrokerError("x"), OrderUnknown),
    ],
)
def test_only_what_surely_placed_nothing_is_a_refusal(error: Any, expected: type) -> None:
    assert type(placing_error(error)) is expected


@pytest.mark.parametrize(
    ("error", "is_retriable"),
    [
        (SessionExpired("x"), False),
        (SessionMissing("x"), False),
        (RateLimited("x", 10), True),
        (BrokerUnavailable("x"), True),
        (ReplyUnreadable("x"), True),
        (RequestRefused("x"), False),
        (OrderRefused("x"), False),
        (OrderUnknown("x"), False),
    ],
)
def test_every_error_says_whether_trying_again_can_help(
    error: BrokerError, is_retriable: bool
) -> None:
    assert error.is_retriable is is_retriable

"""A record of a topic as a line of JSON, and back."""

import base64
import json
from typing import Any

from libs.events.bus import Message, TopicPartition

_TEXT, _BYTES = "text", "base64"


def line_of(message: Message) -> bytes:
    """Return the line; bytes that are text stay readable."""
    fields = {
        "offset": message.offset,
        "timestamp_ms": message.timestamp_ms,
        "key": message.key,
        "headers": [[name, _shown(value)] for name, value in message.headers],
        "value": _shown(message.value),
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def message_of(line: bytes, topic_partition: TopicPartition) -> Message:
    """Return the message of a line."""
    fields: dict[str, Any] = json.loads(line)
    return Message(
        topic=topic_partition.topic,
        partition=topic_partition.partition,
        offset=fields["offset"],
        key=fields["key"],
        value=_bytes(fields["value"]),
        timestamp_ms=fields["timestamp_ms"],
        headers=tuple((name, _bytes(value)) for name, value in fields["headers"]),
    )


def _shown(value: bytes) -> dict[str, str]:
    try:
        return {_TEXT: value.decode()}
    except UnicodeDecodeError:
        return {_BYTES: base64.b64encode(value).decode()}


def _bytes(shown: dict[str, str]) -> bytes:
    return shown[_TEXT].encode() if _TEXT in shown else base64.b64decode(shown[_BYTES])

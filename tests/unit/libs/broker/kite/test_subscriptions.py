import json
from typing import Any

from libs.broker.kite.backoff import Backoff
from libs.broker.kite.subscriptions import Subscriptions


def read(commands: list[str]) -> list[Any]:
    return [json.loads(command) for command in commands]


def test_a_subscription_names_the_tokens_and_then_their_mode() -> None:
    assert read(Subscriptions().add([1, 2], "full")) == [
        {"a": "subscribe", "v": [1, 2]},
        {"a": "mode", "v": ["full", [1, 2]]},
    ]


def test_a_new_connection_is_told_everything_by_mode() -> None:
    subscriptions = Subscriptions()
    subscriptions.add([1, 2, 3], "full")
    subscriptions.add([2], "ltp")
    subscriptions.remove([3])
    assert read(subscriptions.commands()) == [
        {"a": "subscribe", "v": [1]},
        {"a": "mode", "v": ["full", [1]]},
        {"a": "subscribe", "v": [2]},
        {"a": "mode", "v": ["ltp", [2]]},
    ]


def test_only_what_is_known_is_taken_back() -> None:
    subscriptions = Subscriptions()
    subscriptions.add([1], "full")
    assert read(subscriptions.remove([1, 2])) == [{"a": "unsubscribe", "v": [1]}]
    assert subscriptions.remove([1]) == []
    assert subscriptions.commands() == []


def test_nothing_needs_no_command() -> None:
    assert Subscriptions().add([], "full") == []


def test_waits_grow_to_the_cap_and_begin_anew() -> None:
    backoff = Backoff(1.0, 30.0)
    waits = [backoff.next_seconds() for _ in range(8)]
    for wait, full in zip(waits, [1, 2, 4, 8, 16, 30, 30, 30], strict=True):
        assert full / 2 <= wait <= full
    backoff.reset()
    assert backoff.next_seconds() <= 1

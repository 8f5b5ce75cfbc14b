import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.simulator.domain.errors import InputError
from services.simulator.domain.feed.packets import Subscription
from services.simulator.domain.feed.socket_commands import obey

MOST = 3000


def told(subscription: Subscription, action: str, value: Any) -> list[int]:
    return list(obey(json.dumps({"a": action, "v": value}), subscription, MOST))


def test_subscribing_and_changing_the_mode_ask_for_the_state_of_the_tokens() -> None:
    subscription = Subscription()
    assert told(subscription, "subscribe", [1, 2]) == [1, 2]
    assert told(subscription, "mode", ["full", [2]]) == [2]
    assert told(subscription, "unsubscribe", [1]) == []
    assert subscription.tokens == {2}


def test_tokens_beyond_the_limit_are_not_subscribed() -> None:
    subscription = Subscription()
    told(subscription, "subscribe", list(range(MOST - 1)))
    with pytest.raises(InputError, match="3000"):
        told(subscription, "subscribe", [1, 5000, 5001])
    assert len(subscription) == MOST
    assert 5000 in subscription
    assert told(subscription, "subscribe", [1]) == [1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "3",
        "[" * 20_000,
        '{"a":"leap"}',
        '{"a":"subscribe"}',
        '{"a":"subscribe","v":[true]}',
        '{"a":"subscribe","v":[-1]}',
        '{"a":"subscribe","v":[4294967296]}',
        '{"a":"mode","v":["full"]}',
        '{"a":"mode","v":["fast",[1]]}',
        '{"a":"mode","v":[[],[1]]}',
    ],
)
def test_nonsense_is_refused_and_changes_nothing(text: str) -> None:
    subscription = Subscription()
    with pytest.raises(InputError):
        obey(text, subscription, MOST)
    assert len(subscription) == 0


@given(st.recursive(st.none() | st.integers() | st.text(), lambda of: st.lists(of, max_size=3)))
def test_any_value_is_obeyed_or_refused(value: Any) -> None:
    for action in ("subscribe", "mode", "unsubscribe"):
        subscription = Subscription()
        try:
            told(subscription, action, value)
        except InputError:
            assert len(subscription) == 0

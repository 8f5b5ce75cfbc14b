"""The commands of a client on the websocket: subscribe, unsubscribe, mode."""

import json
from collections.abc import Collection
from typing import Any

from services.simulator.domain.errors import InputError
from services.simulator.domain.feed.packets import MODES, Subscription

_HIGHEST_TOKEN = 2**32


def obey(text: str, subscription: Subscription, most_tokens: int) -> Collection[int]:
    """Change a subscription as a JSON command says; returns the tokens whose state is to be sent.

    Raises InputError for an invalid command, and for tokens beyond `most_tokens`, after subscribing
    to as many as are allowed.
    """
    action, value = _read(text)
    if action == "subscribe":
        return _subscribe(_tokens(value), subscription, most_tokens)
    if action == "unsubscribe":
        subscription.unsubscribe(_tokens(value))
        return ()
    if action == "mode":
        return _set_mode(value, subscription)
    raise InputError(f"Unknown action {action!r}.")


def _read(text: str) -> tuple[object, object]:
    try:
        command = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError("The message is no JSON.") from None
    if not isinstance(command, dict):
        raise InputError("The message is no command.")
    return command.get("a"), command.get("v")


def _tokens(value: object) -> list[int]:
    if not isinstance(value, list) or not all(_is_token(one) for one in value):
        raise InputError("Tokens must be a list of numbers.")
    return value


def _is_token(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _HIGHEST_TOKEN


def _subscribe(tokens: list[int], subscription: Subscription, most: int) -> Collection[int]:
    added = [token for token in dict.fromkeys(tokens) if token not in subscription]
    room = most - len(subscription)
    subscription.subscribe(added[:room])
    if len(added) > room:
        raise InputError(f"Maximum {most} instruments can be subscribed on a connection.")
    return tokens


def _set_mode(value: object, subscription: Subscription) -> Collection[int]:
    if not isinstance(value, list) or len(value) != len(("mode", "tokens")):
        raise InputError("A mode needs its name and tokens.")
    mode, tokens = value[0], _tokens(value[1])
    if not isinstance(mode, str) or mode not in MODES:
        raise InputError(f"Unknown mode {mode!r}.")
    subscription.set_mode(mode, tokens)
    return tokens

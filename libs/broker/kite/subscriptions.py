"""The subscriptions of a websocket connection, and their commands."""

import json
from collections.abc import Collection

from libs.broker.port.market import Mode


class Subscriptions:
    """Tokens and their modes, kept to subscribe again on a new connection."""

    def __init__(self) -> None:
        self._modes: dict[int, Mode] = {}

    def add(self, tokens: Collection[int], mode: Mode) -> list[str]:
        """Remember tokens in a mode and return the commands for them."""
        self._modes.update(dict.fromkeys(tokens, mode))
        return _commands(tokens, mode)

    def remove(self, tokens: Collection[int]) -> list[str]:
        """Forget tokens and return the command for those that were known."""
        known = [token for token in tokens if self._modes.pop(token, None) is not None]
        return [_command("unsubscribe", known)] if known else []

    def commands(self) -> list[str]:
        """Return the commands that subscribe all tokens on a new connection."""
        by_mode: dict[Mode, list[int]] = {}
        for token, mode in self._modes.items():
            by_mode.setdefault(mode, []).append(token)
        return [command for mode, tokens in by_mode.items() for command in _commands(tokens, mode)]


def _commands(tokens: Collection[int], mode: Mode) -> list[str]:
    if not tokens:
        return []
    return [_command("subscribe", list(tokens)), _command("mode", [mode, list(tokens)])]


def _command(action: str, value: object) -> str:
    return json.dumps({"a": action, "v": value}, separators=(",", ":"))

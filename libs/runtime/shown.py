"""Text of others on a terminal: shown, never obeyed.

A reason or a symbol may hold escape sequences, which would colour, move or retype what a person
reads, new lines, which would make one row look like two, or marks that turn its direction.
"""

import re

_BREAKS = "\n\t"
_ORDERS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
_ORDERS_AND_BREAKS = re.compile(f"{_ORDERS.pattern}|[{_BREAKS}]")
_NAMES = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def shown(text: str) -> str:
    """Return a text in which each control character is visible; lines stay lines."""
    return _ORDERS.sub(_visible, text)


def on_one_line(text: str) -> str:
    r"""Return a text in which each control character is visible: a new line is `\n`."""
    return _ORDERS_AND_BREAKS.sub(_visible, text)


def _visible(found: re.Match[str]) -> str:
    character = found.group()
    number = ord(character)
    code = f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"
    return _NAMES.get(character, code)

"""One table over another: what is stated later wins."""

from datetime import date
from typing import Any

_DATED = {"from", "value", "until", "confirmed", "source"}


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return a table with another one over it; neither is changed."""
    both = {key: _over(below[key], above[key]) for key in below.keys() & above.keys()}
    return {**below, **above, **both}


def _over(below: Any, above: Any) -> Any:
    if isinstance(below, dict) and isinstance(above, dict):
        return merged(below, above)
    if not (isinstance(below, list) and isinstance(above, list)):
        return above
    if all(isinstance(one, dict) and one.keys() <= _DATED for one in (*below, *above)):
        return _series(below, above)
    return [*below, *(one for one in above if one not in below)]


def _series(below: list[dict[str, Any]], above: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a dated series with another one's entries in it.

    An entry of `below` that begins while one of `above` is stated to hold is left out. An entry
    without an end gives way to the next one that begins, of either.
    """
    left = [one for one in below if not any(_replaces(other, one) for other in above)]
    return sorted((*left, *above), key=_since)


def _replaces(above: dict[str, Any], below: dict[str, Any]) -> bool:
    until: date = above.get("until", _since(above))
    return _since(above) <= _since(below) <= until


def _since(entry: dict[str, Any]) -> date:
    since: date = entry["from"]
    return since

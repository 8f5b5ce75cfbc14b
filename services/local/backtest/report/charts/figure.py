"""What the figures have in common."""

from collections.abc import Mapping, Sequence
from typing import Any

Figure = dict[str, Any]
Trace = dict[str, Any]
Segment = tuple[tuple[Any, Any], tuple[Any, Any]]
"""A straight line: (x, y) of its two ends."""
GAIN, LOSS, LINE, QUIET, STOP, TARGET = "--gain", "--loss", "--line", "--quiet", "--stop", "--aim"
RUPEES = "$,.0f"
"""A d3 format; the page's script gives it India's grouping and sign."""


def figure(data: Sequence[Trace], **layout: Any) -> Figure:
    """Return a figure of traces and a layout."""
    return {"data": list(data), "layout": layout}


def axis(title: str, **more: Any) -> dict[str, Any]:
    """Return an axis with a title."""
    return {"title": {"text": title, "standoff": 12}, **more}


def lines(
    name: str,
    segments: Sequence[Segment],
    colour: str,
    **more: Any,
) -> Trace:
    """Return straight lines between two points each, with a gap after every one."""
    ends: list[Mapping[str, Any]] = []
    for (x, y), (to_x, to_y) in segments:
        ends += ({"x": x, "y": y}, {"x": to_x, "y": to_y}, {"x": to_x, "y": None})
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [one["x"] for one in ends],
        "y": [one["y"] for one in ends],
        "line": {"color": colour, "width": 1.5},
        "hoverinfo": "skip",
        **more,
    }

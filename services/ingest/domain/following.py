"""What a connection follows, and what is to be sent so that it follows something else."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from libs.broker.port.market import Mode


@dataclass(frozen=True, slots=True)
class Change:
    """Tokens to follow no longer, and tokens by the mode in which to follow them from now on."""

    gone: tuple[int, ...]
    added: Mapping[Mode, tuple[int, ...]]


@dataclass(slots=True)
class Following:
    """Token → mode of one connection."""

    modes: dict[int, Mode] = field(default_factory=dict)

    def change_to(self, wanted: Mapping[int, Mode]) -> Change:
        """Follow `wanted` alone; return what is to be sent, tokens ascending."""
        gone = tuple(sorted(self.modes.keys() - wanted.keys()))
        added: dict[Mode, list[int]] = {}
        for token in sorted(wanted):
            if self.modes.get(token) != wanted[token]:
                added.setdefault(wanted[token], []).append(token)
        self.modes = dict(wanted)
        return Change(gone, {mode: tuple(tokens) for mode, tokens in added.items()})


def fitting(wanted: Mapping[int, Mode], first: Mapping[int, int], most: int) -> dict[int, Mode]:
    """Return at most `most` of what is wanted; the lower a token's number in `first`, the sooner.

    What has no number comes last.
    """
    if len(wanted) <= most:
        return dict(wanted)
    kept = sorted(wanted, key=lambda token: (first.get(token, len(first)), token))[:most]
    return {token: wanted[token] for token in kept}

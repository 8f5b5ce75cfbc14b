"""Whom to ask for a quote next, where requests stand in for the stream."""

from collections.abc import Sequence


class Rounds:
    """Asks those first that were asked longest ago, `a_call` at once.

    Of more than `most` only the first are asked; how many are not is `left_out`.
    """

    def __init__(self, a_call: int, most: int) -> None:
        self._a_call, self._most = a_call, most
        self._asked: dict[int, int] = {}
        self._turn = 0
        self.left_out = 0

    def next(self, wanted: Sequence[int]) -> list[int]:
        """Return whom to ask now, of what is wanted in the order of its importance."""
        self._turn += 1
        able = wanted[: self._most]
        self.left_out = len(wanted) - len(able)
        self._asked = {token: self._asked.get(token, 0) for token in able}
        chosen = sorted(able, key=self._asked.__getitem__)[: self._a_call]
        self._asked |= dict.fromkeys(chosen, self._turn)
        return chosen

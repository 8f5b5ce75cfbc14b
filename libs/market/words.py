"""A column of texts, of which few differ, by codes."""

from collections.abc import Iterable, Sequence
from typing import Any, Self, overload

import numpy as np
from numpy.typing import NDArray


class Words(Sequence[str]):
    """Row n is `names[codes[n]]`; the names differ from each other."""

    def __init__(self, codes: NDArray[Any], names: Sequence[str]) -> None:
        self.codes = codes
        self.names = names

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """Return the column of some texts; its names are sorted, so codes compare as they do."""
        given = list(texts)
        names = sorted(set(given))
        code_of = {name: code for code, name in enumerate(names)}
        smallest = np.int16 if len(names) < np.iinfo(np.int16).max else np.int32
        return cls(np.array([code_of[text] for text in given], smallest), names)

    def take(self, rows: NDArray[Any]) -> Self:
        """Return the rows selected by an index array."""
        return type(self)(self.codes[rows], self.names)

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> Self: ...
    def __getitem__(self, at: int | slice) -> "str | Self":
        if isinstance(at, slice):
            return type(self)(self.codes[at], self.names)
        return self.names[int(self.codes[at])]

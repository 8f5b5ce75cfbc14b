"""Types of parameters that several strategies have, with their bounds."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

Intraday: TypeAlias = Literal["1m", "3m", "5m", "10m", "15m", "30m", "60m"]
Period: TypeAlias = Annotated[int, Field(ge=2, le=1000)]
"""Candles of an average."""
Percent: TypeAlias = Annotated[float, Field(gt=0, lt=100)]
Confidence: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Multiple: TypeAlias = Annotated[float, Field(gt=0, le=100)]
"""Of the risk or of an average range."""

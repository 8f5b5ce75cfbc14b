"""What all kinds of faults share."""

from datetime import time
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Side = Literal["before", "after"]


class AnyFault(BaseModel):
    """`at` is the time of the simulated day in India from which the fault holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: time | None = None


class Counted(AnyFault):
    """Skips the first `skip` matches, then hits `times` of them."""

    times: int = Field(1, ge=1)
    skip: int = Field(0, ge=0)

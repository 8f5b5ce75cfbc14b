"""What there is to know of a service before it is built."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from libs.runtime.service import Parts, Service
from libs.runtime.settings import KiteSettings, ProcessSettings

P = TypeVar("P", bound=ProcessSettings)
Processes = Literal["one", "fenced", "per_partition"]
"""How many processes of a service may run at a time.

`one`: it is for the deployment to start no second. `fenced`: one, and the newest shuts the one
before out. `per_partition`: up to one for each partition, which they share.
"""


@dataclass(frozen=True, slots=True)
class ServiceSpec(Generic[P]):
    """A service by its name, the settings that its process reads, and how it is built from them."""

    name: str
    settings: type[P]
    make: Callable[[P, Parts], Service]
    processes: Processes = "one"

    @property
    def fence(self) -> str | None:
        """The name by which another process of the service is shut out; None: none is."""
        return self.name if self.processes == "fenced" else None

    @property
    def uses_kite(self) -> bool:
        """Whether its process reads the account at Kite."""
        kinds = (info.annotation for info in self.settings.model_fields.values())
        return KiteSettings in kinds

"""The health of a service: whether it is ready, and why not."""

from dataclasses import dataclass, field

from libs.runtime.metrics import Component


@dataclass(slots=True)
class Health:
    """Named components; the service is ready when all required ones work.

    A component that is not `required` (a table writer, for example) is reported but does not
    make the service unready: nothing on the event path waits for it.
    """

    _trouble: dict[str, str] = field(default_factory=dict)
    _optional: set[str] = field(default_factory=set)
    is_stopping: bool = False

    def starting(self, component: str, *, required: bool = True) -> None:
        """Register a component that is not ready yet."""
        self._trouble[component] = "starting"
        if not required:
            self._optional.add(component)

    def well(self, component: str) -> None:
        """Report that a component works."""
        self._trouble[component] = ""

    def unwell(self, component: str, reason: str) -> None:
        """Report why a component does not work."""
        self._trouble[component] = reason

    @property
    def is_ready(self) -> bool:
        """Whether every required component works and the service is not stopping."""
        required = [why for name, why in self._trouble.items() if name not in self._optional]
        return not self.is_stopping and bool(required) and not any(required)

    def components(self) -> dict[str, Component]:
        """Return which components work, and which are required."""
        return {
            name: Component(is_up=not why, is_required=name not in self._optional)
            for name, why in self._trouble.items()
        }

    def report(self) -> dict[str, str]:
        """Return component → "ok" or the reason."""
        return {name: why or "ok" for name, why in sorted(self._trouble.items())}

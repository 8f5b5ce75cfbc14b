"""The health of a service: whether it is ready, and why not."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from libs.runtime.metrics import Component

Look = Callable[[], str]
"""Returns why a component does not work now, "" if it does."""
_STARTING = "starting"
LOGIN = "a login at the broker"
"""What a service without a session waits for."""


@dataclass(slots=True)
class Waiting:
    """What a service waits for before it can work: a login, the next trading day; "" for nothing.

    That is no fault of the service: it is ready meanwhile, and says what it waits for.
    """

    reason: str = ""

    @contextmanager
    def on(self, reason: str) -> Iterator[None]:
        """Wait for this as long as the context is open, and then for what it was before."""
        before, self.reason = self.reason, reason
        try:
            yield
        finally:
            self.reason = before


@dataclass(slots=True)
class Health:
    """Named components; the service is ready when all required ones work.

    A component that is not `required` (a table writer, for example) is reported but does not
    make the service unready: nothing on the event path waits for it. While the service waits, what
    it has not started yet does not make it unready either. `looks` are components that are
    looked at whenever somebody asks.
    """

    waiting: Waiting = field(default_factory=Waiting)
    looks: Mapping[str, Look] = field(default_factory=dict)
    _trouble: dict[str, str] = field(default_factory=dict)
    _optional: set[str] = field(default_factory=set)
    is_stopping: bool = False

    def starting(self, component: str, *, required: bool = True) -> None:
        """Register a component that is not ready yet."""
        self._trouble[component] = _STARTING
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
        found = self._found()
        required = [name for name in found if name not in self._optional]
        held_up = any(found[name] and not self._has_to_wait(name) for name in required)
        return not self.is_stopping and bool(required) and not held_up

    def components(self) -> dict[str, Component]:
        """Return which components work, and which are required; not those that have to wait."""
        return {
            name: Component(is_up=not why, is_required=name not in self._optional)
            for name, why in self._found().items()
            if not self._has_to_wait(name)
        }

    def report(self) -> dict[str, str]:
        """Return component → "ok" or the reason."""
        return {name: why or "ok" for name, why in sorted(self._found().items())}

    def _found(self) -> dict[str, str]:
        return self._trouble | {name: look() for name, look in self.looks.items()}

    def _has_to_wait(self, component: str) -> bool:
        return bool(self.waiting.reason) and self._trouble.get(component) == _STARTING

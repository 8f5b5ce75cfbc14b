"""The services as processes on one machine: started, supervised, restarted."""

import asyncio
import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, SecretStr

from libs.errors import AlphaStocksError
from libs.runtime.settings import PREFIX, ProcessSettings
from services.local.catalogue import entry_of

WRONG_INPUT_STATUS = 2
"""Exit status of a process that a restart cannot help: its settings or inputs are wrong."""
STOP_SECONDS = 20.0
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.5, 30.0
_STEADY_SECONDS = 60.0
_PR_SET_PDEATHSIG = 1
_FOR_THE_LOGIN = f"{PREFIX}KITE__API_SECRET"
"""Only `alphastocks login` needs it."""
Notify = Callable[[str], None]


class ProcessFailed(AlphaStocksError):
    """A service cannot run; the message is one line with its name and the reason."""


@dataclass(slots=True)
class Member:
    """One process of a service; `instance` stays the same over its restarts."""

    service: str
    module: str
    instance: int
    port: int
    process: asyncio.subprocess.Process | None = None
    restarts: int = 0
    is_wanted: bool = True
    watcher: "asyncio.Task[None] | None" = None

    @property
    def name(self) -> str:
        """Its name in logs and messages."""
        return f"{self.service}-{self.instance}"

    @property
    def is_running(self) -> bool:
        """Whether its process is running."""
        return self.process is not None and self.process.returncode is None


@dataclass(slots=True)
class Fleet:
    """Processes of services with the same settings, each with a log file in `folder`.

    A process that ends by itself is restarted with backoff. If it ends with the status that only
    the user can help, `watch` raises ProcessFailed.
    """

    settings: ProcessSettings
    folder: Path
    first_port: int
    notify: Notify = print
    extra: Mapping[str, str] = field(default_factory=dict)
    members: list[Member] = field(default_factory=list)
    _started: int = 0
    _failed: "asyncio.Future[None] | None" = None

    async def __aenter__(self) -> Self:
        """Create the folder; start nothing yet."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._failed = asyncio.get_running_loop().create_future()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop all processes, the last one started first."""
        for member in reversed(self.members):
            await self.stop(member)

    async def start(self, service: str, module: str = "", port: int | None = None) -> Member:
        """Start one more process of a service, and keep it running.

        `module` is `services.<service>` by default, `port` the next one after `first_port`.
        """
        taken = {one.instance for one in self.members if one.service == service}
        instance = next(number for number in range(len(taken) + 1) if number not in taken)
        if port is None:
            port = self.first_port + self._started
            self._started += 1
        member = Member(service, module or f"services.{service}", instance, port)
        self.members.append(member)
        await self._spawn(member)
        member.watcher = asyncio.create_task(self._supervise(member))
        member.watcher.add_done_callback(lambda watcher: self._on_unwatched(member, watcher))
        return member

    async def stop(self, member: Member) -> None:
        """Stop a process by SIGTERM; kill it after STOP_SECONDS."""
        member.is_wanted = False
        if member.process is not None and member.is_running:
            member.process.terminate()
            try:
                await asyncio.wait_for(member.process.wait(), STOP_SECONDS)
            except TimeoutError:
                self.notify(f"{member.name} did not end in {STOP_SECONDS:g} s and was killed")
                member.process.kill()
                await member.process.wait()  # it is reaped, and its transport is closed
        if member.watcher is not None:
            member.watcher.cancel()
            await asyncio.gather(member.watcher, return_exceptions=True)
        if member in self.members:
            self.members.remove(member)

    def of(self, service: str) -> list[Member]:
        """Return the processes of a service."""
        return [member for member in self.members if member.service == service]

    async def watch(self, until: asyncio.Event) -> None:
        """Return when the event is set; raise ProcessFailed if a service cannot run."""
        if self._failed is None:
            raise RuntimeError("the fleet has not been entered")
        waiting = asyncio.create_task(until.wait())
        either: list[asyncio.Future[Any]] = [waiting, self._failed]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._failed.done():
            self._failed.result()

    def log_of(self, member: Member) -> Path:
        """Return the log file of a process."""
        return self.folder / f"{member.name}.log"

    async def _supervise(self, member: Member) -> None:
        wait = _FIRST_WAIT_SECONDS
        loop = asyncio.get_running_loop()
        while member.process is not None:
            started = loop.time()
            status = await member.process.wait()
            if not member.is_wanted:
                return
            reason = f"{member.name} ended with status {status}: {self._last_log_line(member)}"
            if status == WRONG_INPUT_STATUS:
                self._fail(reason)
                return
            wait = _FIRST_WAIT_SECONDS if loop.time() - started > _STEADY_SECONDS else wait
            self.notify(f"{reason}; restarting it in {wait:g} s")
            await asyncio.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT_SECONDS)
            member.restarts += 1
            await self._spawn(member)

    async def _spawn(self, member: Member) -> None:
        with self.log_of(member).open("ab") as log:
            member.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                member.module,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(member),
                start_new_session=True,  # Ctrl-C ends us first, and we end the services
                preexec_fn=_end_with_parent,
            )

    def _environment(self, member: Member) -> dict[str, str]:
        """Return the settings that its process reads, and nothing else of ours: no other secret."""
        own = {
            f"{PREFIX}RUNTIME__PORT": str(member.port),
            f"{PREFIX}BUS__INSTANCE": str(member.instance),
        }
        theirs = {key: text for key, text in os.environ.items() if not key.startswith(PREFIX)}
        read = as_environment(self.settings, _sections(member))
        read.pop(_FOR_THE_LOGIN, None)
        return {**theirs, **read, **self.extra, **own}

    def _on_unwatched(self, member: Member, watcher: "asyncio.Task[None]") -> None:
        """Fail if the one who restarts a process has failed itself: on a full disk, for example."""
        if not watcher.cancelled() and (error := watcher.exception()) is not None:
            self._fail(f"{member.name} cannot be watched or restarted: {error}")

    def _last_log_line(self, member: Member) -> str:
        lines = self.log_of(member).read_text(errors="replace").splitlines()
        written = [line.strip() for line in lines if line.strip()]
        return written[-1][:400] if written else "its log is empty"

    def _fail(self, reason: str) -> None:
        if self._failed is not None and not self._failed.done():
            self._failed.set_exception(ProcessFailed(reason))


def _sections(member: Member) -> Collection[str] | None:
    """Return the sections that a process reads; None, all of them, for a module of another kind."""
    if member.module != f"services.{member.service}":
        return None
    read: type[ProcessSettings] = entry_of(member.service).spec.settings
    return read.model_fields.keys()


def as_environment(
    settings: ProcessSettings, only: Collection[str] | None = None
) -> dict[str, str]:
    """Return settings as environment variables; `only` names the sections (None: all)."""
    names = [name for name in type(settings).model_fields if only is None or name in only]
    sections = ((name, getattr(settings, name)) for name in names)
    return {
        f"{PREFIX}{section.upper()}__{key.upper()}": text
        for section, values in sections
        for key, text in _texts(values)
    }


def _texts(section: BaseModel) -> Iterable[tuple[str, str]]:
    plain: dict[str, Any] = section.model_dump(mode="json")
    for key in type(section).model_fields:
        value = getattr(section, key)
        if isinstance(value, SecretStr):
            yield key, value.get_secret_value()
        elif value is not None and key in plain:  # left out: it is the default
            yield key, plain[key] if isinstance(plain[key], str) else json.dumps(plain[key])


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

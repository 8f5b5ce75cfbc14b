"""Files that only their owner may read."""

import os
from pathlib import Path
from uuid import uuid4

_OWNER_ONLY = 0o600
_NOBODY_ELSE = 0o077


def keep_private() -> None:
    """Let files and folders that this process and its children make be their owner's alone.

    Journals, logs and outcomes tell what somebody trades.
    """
    os.umask(_NOBODY_ELSE)


def write_private(path: Path, text: str) -> None:
    """Write a file atomically: a reader sees the old content or the new one; nobody else reads it.

    A draft that cannot be finished is removed.
    """
    draft = path.with_name(f".{path.name}.{uuid4().hex}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)

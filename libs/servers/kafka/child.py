"""The child that becomes the server: `python -m libs.servers.kafka.child PARENT FOLDER …`."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def become(parent: int, folder: str, command: list[str]) -> int:
    """Turn this process into a command in a folder; it ends when the parent does, or did already.

    On Linux the kernel sees to it. It takes the thread that started the child for the parent.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return 1
    os.chdir(folder)
    os.execv(command[0], command)  # noqa: S606  the words are ours


if __name__ == "__main__":
    sys.exit(become(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))

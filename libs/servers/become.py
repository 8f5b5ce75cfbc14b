"""The child that becomes a server: `python become.py PARENT COMMAND …`; needs nothing of ours."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def become(parent: int, command: list[str]) -> int:
    """Turn this process into a command; it ends when the parent does, or did already.

    On Linux the kernel sees to it. It takes the thread that started the child for the parent.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return 1
    os.execv(command[0], command)  # noqa: S606  the words are ours


if __name__ == "__main__":
    sys.exit(become(int(sys.argv[1]), sys.argv[2:]))

"""Runs a server in this process: `python become.py PARENT_PID COMMAND …`; standard library only."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def become(parent: int, command: list[str]) -> int:
    """Replace this process by a command that ends when the parent ends; return 1 if it has ended.

    On Linux the kernel kills it when the thread that started this process ends.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return 1
    os.execv(command[0], command)  # noqa: S606  no external input


if __name__ == "__main__":
    sys.exit(become(int(sys.argv[1]), sys.argv[2:]))

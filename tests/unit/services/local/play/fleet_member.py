"""A process for the tests of the fleet: says something and ends, or waits for SIGTERM.

A deaf one does not end at SIGTERM.
"""

import os
import signal
import sys

STATUS = "FLEET_MEMBER_STATUS"
IS_DEAF = "FLEET_MEMBER_IS_DEAF"

if __name__ == "__main__":
    if os.environ.get(IS_DEAF):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    control = [name for name in os.environ if name.startswith("ALPHASTOCKS_CONTROL_")]
    told = " ".join([f"member {os.environ['ALPHASTOCKS_BUS__INSTANCE']} is here", *control])
    sys.stderr.write(f"{told}\n")
    sys.stderr.flush()
    if os.environ.get(STATUS):
        sys.exit(int(os.environ[STATUS]))
    signal.pause()

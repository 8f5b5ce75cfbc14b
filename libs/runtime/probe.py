"""The health check of a container: `python -m libs.runtime.probe` prints what a service says.

Exit status 0 when it is ready. It imports little, since it runs every few seconds.
"""

import sys
import urllib.error

from libs.runtime.direct import DIRECT

URL = "http://127.0.0.1:8100/health/ready"
_SECONDS = 4.0


def probe(url: str) -> tuple[bool, str]:
    """Return whether a service is ready, and its answer or why there is none."""
    try:
        with DIRECT.open(url, timeout=_SECONDS) as reply:
            return True, reply.read().decode()
    except urllib.error.HTTPError as refused:
        return False, refused.read().decode()
    except OSError as error:
        return False, f"no answer: {error}"


def main(url: str = URL) -> int:
    """Print the answer of a service; return the exit status."""
    is_ready, answer = probe(url)
    sys.stdout.write(answer + "\n")
    return 0 if is_ready else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

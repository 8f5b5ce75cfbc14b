"""The server inside the `chdb` wheel: `python wheel.py LIBRARY CONFIG`; needs nothing of ours."""

import ctypes
import os
import sys

_ENTRY = "_Z25mainEntryClickHouseServeriPPc"


def serve(library: str, config: str) -> int:
    """Be the server until it is asked to end; return its exit status."""
    loaded = ctypes.CDLL(library, mode=os.RTLD_NOW | getattr(os, "RTLD_DEEPBIND", 0))
    words = [b"clickhouse-server", os.fsencode(f"--config-file={config}")]
    return int(loaded[_ENTRY](len(words), (ctypes.c_char_p * 3)(*words, None)))


if __name__ == "__main__":
    sys.exit(serve(sys.argv[1], sys.argv[2]))

"""Runs the server in the `chdb` wheel: `python wheel.py LIBRARY CONFIG`; standard library only."""

import ctypes
import os
import sys

_ENTRY = "_Z25mainEntryClickHouseServeriPPc"


def serve(library: str, config: str) -> int:
    """Run the server until it ends; return its exit status."""
    loaded = ctypes.CDLL(library, mode=os.RTLD_NOW | getattr(os, "RTLD_DEEPBIND", 0))
    words = [b"clickhouse-server", os.fsencode(f"--config-file={config}")]
    return int(loaded[_ENTRY](len(words), (ctypes.c_char_p * 3)(*words, None)))


if __name__ == "__main__":
    sys.exit(serve(sys.argv[1], sys.argv[2]))

"""A TCP proxy that can be cut: what stands behind it is away until it is joined again."""

import asyncio
from typing import Self

HOST = "127.0.0.1"


class Proxy:
    """Forwards connections on a free port of localhost to another port of it."""

    def __init__(self, port: int) -> None:
        self._behind = port
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._is_cut = False
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._forward, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()

    def cut(self) -> None:
        """Break all connections, and every new one."""
        self._is_cut = True
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()

    def join(self) -> None:
        """Let connections through again."""
        self._is_cut = False

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        back, forth = await asyncio.open_connection(HOST, self._behind)
        self._open |= {writer, forth}
        await asyncio.gather(_pipe(reader, forth), _pipe(back, writer))
        self._open -= {writer, forth}


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        return
    finally:
        writer.close()

"""A TCP proxy in front of a server whose connections a test freezes: open on both sides, and nothing passes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

_NAME = b"application_name\0"


class Link:
    """One connection through the proxy."""

    def __init__(self, ends: tuple[asyncio.StreamWriter, asyncio.StreamWriter]) -> None:
        self.application = ""
        """What the client calls itself, once it has said so."""
        self.passes = asyncio.Event()
        self.passes.set()
        self._ends = ends

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what one side says until either leaves; frozen, take it and keep it."""
        try:
            while data := await reader.read(1 << 16):
                if _NAME in data:
                    self.application = data.split(_NAME, 1)[1].split(b"\0", 1)[0].decode()
                await self.passes.wait()
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            await self.passes.wait()
            self.cut()

    def cut(self) -> None:
        """Break the connection off, towards both sides."""
        for end in self._ends:
            end.transport.abort()


class Proxy:
    """All connections to one server."""

    def __init__(self, dsn: str) -> None:
        self._parts = urlsplit(dsn)
        self._links: list[Link] = []
        self._serving: set[asyncio.Task[None] | None] = set()
        self.port = 0
        self.takes = asyncio.Event()
        """While it is not set, nobody answers who connects."""
        self.takes.set()

    @property
    def dsn(self) -> str:
        """Give the address of the database through the proxy."""
        place = self._parts.netloc.rpartition(":")[0]
        return urlunsplit(self._parts._replace(netloc=f"{place}:{self.port}"))

    def freeze(self, application: str = "") -> list[Link]:
        """Freeze the connections there are of clients whose name begins so; later ones pass."""
        frozen = [link for link in self._links if link.application.startswith(application)]
        for link in frozen:
            link.passes.clear()
        return frozen

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        self._serving.add(asyncio.current_task())
        await self.takes.wait()
        there = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        link = Link((writer, there[1]))
        self._links.append(link)
        try:
            await asyncio.gather(link.pump(reader, there[1]), link.pump(there[0], writer))
        finally:
            link.cut()
            self._links.remove(link)

    def cut(self) -> None:
        """Break off what there is, and let pass what comes."""
        self.takes.set()
        for link in [*self._links]:
            link.passes.set()
            link.cut()

    async def end(self) -> None:
        """Break everything off for good."""
        self.cut()
        await asyncio.gather(*(task for task in self._serving if task is not None))


@asynccontextmanager
async def proxy(dsn: str) -> AsyncIterator[Proxy]:
    """Run a proxy in front of the server of an address with host and port."""
    found = Proxy(dsn)
    server = await asyncio.start_server(found.take, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        await found.end()

"""A TCP proxy before an S3 server: counts requests and bytes of any client, and can add a delay to each request."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

_PART = 1 << 18
_HEAD_LIMIT = 1 << 20


@dataclass
class Traffic:
    """What went through since the last `reset`: requests by verb, bytes up and down with their headers."""

    requests: Counter[str] = field(default_factory=Counter)
    bytes_up: int = 0
    bytes_down: int = 0

    def reset(self) -> None:
        """Begin to count anew."""
        self.requests = Counter()
        self.bytes_up = self.bytes_down = 0

    @property
    def total(self) -> int:
        """All requests."""
        return self.requests.total()

    @property
    def moved(self) -> int:
        """Bytes in both directions."""
        return self.bytes_up + self.bytes_down

    def __str__(self) -> str:
        return ", ".join(f"{count} {verb}" for verb, count in sorted(self.requests.items()))


class Proxy:
    """Passes requests on to `endpoint`; `delay_s` is added to each."""

    def __init__(self, endpoint: str, delay_s: float = 0.0) -> None:
        host, _, port = endpoint.removeprefix("http://").partition(":")
        self._host, self._port = host, int(port)
        self.delay_s = delay_s
        self.traffic = Traffic()
        self.endpoint = ""
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self) -> asyncio.Server:
        """Listen on a free port; `endpoint` says which."""
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, limit=_HEAD_LIMIT)
        self.endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return server

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            above, beyond = await asyncio.open_connection(self._host, self._port, limit=_HEAD_LIMIT)
        except OSError:
            writer.close()
            return
        down = asyncio.create_task(self._down(above, writer))
        self._tasks.add(down)
        down.add_done_callback(self._tasks.discard)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    await self._request(reader, beyond)
        finally:
            beyond.close()
            with contextlib.suppress(ConnectionError):
                await down

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Replies, as they come."""
        try:
            with contextlib.suppress(ConnectionError):
                while part := await reader.read(_PART):
                    self.traffic.bytes_down += len(part)
                    writer.write(part)
                    await writer.drain()
        finally:
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request: its head is held back for the delay, its body follows at full speed."""
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.traffic.requests[first.split(" ", 1)[0]] += 1
        await asyncio.sleep(self.delay_s)
        self._pass(writer, head)
        if fields.get("transfer-encoding", "").lower() == "chunked":
            await self._chunks(reader, writer)
        else:
            await self._body(reader, writer, int(fields.get("content-length", "0")))
        await writer.drain()

    async def _chunks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            line = await reader.readuntil(b"\r\n")
            self._pass(writer, line)
            size = int(line.split(b";")[0], 16)
            if size == 0:
                break
            await self._body(reader, writer, size + 2)
        while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
            self._pass(writer, line)
        self._pass(writer, line)

    async def _body(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int) -> None:
        while left:
            part = await reader.read(min(left, _PART))
            if not part:
                raise asyncio.IncompleteReadError(b"", left)
            left -= len(part)
            self._pass(writer, part)
            await writer.drain()

    def _pass(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        self.traffic.bytes_up += len(data)
        writer.write(data)


@contextlib.contextmanager
def proxied(endpoint: str, delay_s: float = 0.0) -> Iterator[Proxy]:
    """A proxy in a thread of its own, until the block ends."""
    proxy = Proxy(endpoint, delay_s)
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        server = await proxy.listen()
        ready.set()
        await stop.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def work() -> None:
        try:
            loop.run_until_complete(serve())
        finally:
            loop.close()

    thread = threading.Thread(target=work, name="proxy", daemon=True)
    thread.start()
    ready.wait()
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()

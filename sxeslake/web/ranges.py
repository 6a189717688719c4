"""Downloads that go on where they stopped: Content-Length, Range, If-Range and ETag over a file read in parts."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from sxeslake.model import MIB
from sxeslake.web.answers import RangedDownload

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from sxeslake.web.work import Workers

_BLOCK: Final = 1 * MIB
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


class ClosingResponse(StreamingResponse):
    """A file in parts, which is closed when it is sent, and also when its client leaves amid it."""

    def __init__(self, blocks: AsyncIterator[bytes], close: Callable[[], object] | None, **words: Any) -> None:
        super().__init__(blocks, **words)
        self._close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self._close is not None:
                self._close()


def part_of(header: str | None, size: int) -> tuple[int, int] | None:
    """`bytes=5-9` → (5, 10); None for the whole file, also where several parts are asked for.

    ValueError for a part that the file does not have.
    """
    match = _RANGE.fullmatch(header.replace(" ", "")) if header else None
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":
        start, end = max(0, size - int(match[2])), size
        if match[2].strip("0") == "":
            raise ValueError(header)
    else:
        start, end = int(match[1]), min(size, int(match[2]) + 1) if match[2] else size
    if start >= end:
        if match[1] and match[2] and int(match[2]) < int(match[1]):
            return None  # RFC 9110: such a header is ignored
        raise ValueError(header)
    return start, end


def file_name_header(disposition: str, name: str) -> str:
    """A name for the browser to save under; the plain one has letters that every browser takes."""
    safe = re.sub(r"[^A-Za-z0-9._@+ -]", "_", name)[:120] or "download"
    return f"{disposition}; filename=\"{safe}\"; filename*=UTF-8''{quote(name[-200:], safe='', errors='replace')}"


def ranged(request: Request, file: RangedDownload, workers: Workers) -> Response:
    """The answer to a GET or HEAD of a file: all of it, or the part that is asked for."""
    etag = f'"{file.etag}"'
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": etag,
        "Cache-Control": "private, max-age=31536000, immutable",
        "Content-Disposition": file_name_header(file.disposition, file.name),
    }
    wanted = [each.strip() for each in request.headers.get("if-none-match", "").split(",")]
    header = request.headers.get("range") if request.headers.get("if-range", etag) == etag else None
    start, end, status = 0, file.size, 200
    if etag in wanted:
        status = 304
    else:
        try:
            part = part_of(header, file.size)
        except ValueError:
            status = 416
            headers |= {"Content-Range": f"bytes */{file.size}"}
        else:
            start, end = part or (0, file.size)
            headers["Content-Length"] = str(end - start)
            if part is not None:
                status = 206
                headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    if status in (200, 206) and request.method == "GET":
        blocks = _blocks(file, start, end, workers)
        return ClosingResponse(blocks, file.close, status_code=status, headers=headers, media_type=file.media_type)
    if file.close is not None:
        file.close()
    return Response(status_code=status, headers=headers, media_type=file.media_type)


async def _blocks(file: RangedDownload, start: int, end: int, workers: Workers) -> AsyncIterator[bytes]:
    for at in range(start, end, _BLOCK):
        yield await workers.step(partial(file.read, at, min(end, at + _BLOCK)))

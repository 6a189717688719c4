"""Downloads that go on where they stopped: Content-Length, Range, If-Range and ETag over a file read in parts."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from starlette.background import BackgroundTask
from starlette.responses import Response, StreamingResponse

from sxeslake.model import MIB
from sxeslake.web.answers import RangedDownload

if TYPE_CHECKING:
    from starlette.requests import Request

    from sxeslake.web.work import Workers

_BLOCK: Final = 1 * MIB
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


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
    cleaning = BackgroundTask(file.close) if file.close else None
    wanted = [each.strip() for each in request.headers.get("if-none-match", "").split(",")]
    if etag in wanted:
        return Response(status_code=304, headers=headers, background=cleaning)
    header = request.headers.get("range")
    if request.headers.get("if-range", etag) != etag:
        header = None
    try:
        part = part_of(header, file.size)
    except ValueError:
        headers |= {"Content-Range": f"bytes */{file.size}"}
        return Response(status_code=416, headers=headers, background=cleaning)
    start, end = part or (0, file.size)
    headers["Content-Length"] = str(end - start)
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    status = 200 if part is None else 206
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=file.media_type, background=cleaning)
    blocks = _blocks(file, start, end, workers)
    return StreamingResponse(blocks, status, headers, media_type=file.media_type, background=cleaning)


async def _blocks(file: RangedDownload, start: int, end: int, workers: Workers) -> AsyncIterator[bytes]:
    for at in range(start, end, _BLOCK):
        yield await workers.step(partial(file.read, at, min(end, at + _BLOCK)))

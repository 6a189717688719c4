"""The contents of members, in order, with bounded memory: what is read ahead while something is used."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import chain, islice, tee
from typing import NamedTuple, TypeVar

from sxeslake.batching import batches
from sxeslake.format.manifest import Blob, ManifestRow
from sxeslake.model import Member
from sxeslake.storage import Operation
from sxeslake.vault.blobs.reader import BlobReader
from sxeslake.vault.packs.kinds import WINDOW_BYTES

_Plan = TypeVar("_Plan")

_AHEAD = 2  # windows on their way while one is used: what one waits for a far bucket, the other moves bytes
# One more for so many threads: decoding is a fourth of a pull. A window is decoded by the thread that fetches it, for
# each thread more that wants the interpreter's lock delays the others: 5 % of a pull on 2 cores.
_THREADS_A_WINDOW = 4
WINDOW_BLOBS = 4096


class Content(NamedTuple):
    """A member and its bytes, in parts; they are to be taken before the next member is asked for."""

    member: Member
    parts: Iterator[bytes]


def contents(reader: BlobReader, rows: Iterable[ManifestRow]) -> Iterator[Content]:
    """Every member with its bytes, in the order of `rows`."""
    planned, wanted = tee(rows)
    stream = read_ahead(reader, chain.from_iterable(row.blobs for row in planned))
    for row in wanted:
        parts = islice(stream, len(row.blobs))
        yield Content(row.member, parts)
        for _ in parts:  # whatever was not taken
            pass


def read_ahead(reader: BlobReader, blobs: Iterable[Blob]) -> Iterator[bytes]:
    """The bytes of blobs, in order; the next windows are read while one is used."""
    return fetched_ahead(reader, windows(blobs), reader.fetch)


def fetched_ahead(reader: BlobReader, plans: Iterator[_Plan], read: Callable[..., list[bytes]]) -> Iterator[bytes]:
    """What `read(plan, one_thread=…)` gives of each plan, in order; the next are read while what came is used."""
    operation = Operation()
    count = _AHEAD + reader.threads // _THREADS_A_WINDOW
    first = list(islice(plans, count))
    read = partial(read, one_thread=len(first) > 1)

    def fetch(plan: _Plan) -> Future[list[bytes]]:
        return ahead.submit(operation.run, read, plan)

    with ThreadPoolExecutor(count, thread_name_prefix="fetch") as ahead:
        coming = deque(map(fetch, first))
        try:
            while coming:
                data = coming.popleft().result()
                coming.extend(fetch(plan) for plan in islice(plans, 1))
                data.reverse()
                while data:  # what was used is released at once, not with its window
                    yield data.pop()
        finally:
            for future in coming:
                future.cancel()
            operation.end()  # nobody waits for a slow link to bring what is not wanted any more


def windows(blobs: Iterable[Blob]) -> Iterator[list[Blob]]:
    """Runs of blobs that are read at once."""
    return batches(blobs, lambda blob: blob.size, WINDOW_BYTES, WINDOW_BLOBS)

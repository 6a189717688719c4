"""Recipes of exact rebuilds, as an archive version keeps them: in its log entry if short, else blobs that it names.

`ArchiveAdded.recipe` holds `inline` (base64) or `blobs` (see `format.logentry`), `bytes` (of the recipe), `encoders`
and `tools`; or `reason`, why there is none. Its blobs are needed like those of members: by collection, verification
and copies.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sxeslake.format.logentry import ArchiveAdded
from sxeslake.text.wording import said

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sxeslake.format.manifest import Blob
    from sxeslake.vault.blobs.reader import BlobReader

# What reads recipes is imported where they are read: `ls` asks only whether there is one.

INLINE_BYTES = 8 * 1024  # a recipe up to this size stands in the log entry
RECIPE_PATH = "exact.recipe"  # by which packs know what it is: recipes lie beside recipes
NOT_TRIED = "no recipe was sought when it came in"


def is_exact(archive: ArchiveAdded) -> bool:
    """Whether the original file can be rebuilt."""
    return "blobs" in archive.recipe or "inline" in archive.recipe


def why_not(archive: ArchiveAdded) -> str | None:
    """Why the original file cannot be rebuilt; None where it can."""
    if is_exact(archive):
        return None
    if archive.source.get("container") == "folder" and "reason" not in archive.recipe:
        return "it came as a folder, which has no bytes of its own"
    return said(str(archive.recipe.get("reason") or NOT_TRIED))


def recipe_blobs(archive: ArchiveAdded) -> list[Blob]:
    """The blobs of which the recipe is made, in order; none where there is no recipe."""
    from sxeslake.format.manifest import Blob, Hint  # noqa: PLC0415 - see above

    return [
        Blob(bytes.fromhex(digest), size, Hint(pack, *place))
        for digest, size, pack, *place in archive.recipe.get("blobs", ())
    ]


def recipe_digests(archives: Sequence[ArchiveAdded]) -> npt.NDArray[np.uint8]:
    """The addresses of the blobs of some recipes (n × 32)."""
    import numpy as np  # noqa: PLC0415 - see above

    found = [digest for archive in archives for digest, *_ in archive.recipe.get("blobs", ())]
    return np.frombuffer(bytes.fromhex("".join(found)), np.uint8).reshape(-1, 32)


def as_record(blobs: Sequence[Blob], **more: Any) -> dict[str, Any]:
    """A recipe for the log."""
    rows = [[blob.digest.hex(), blob.size, *blob.hint] for blob in blobs if blob.hint is not None]
    return {"blobs": rows, **more}


def as_inline(recipe: bytes, **more: Any) -> dict[str, Any]:
    """A short recipe for the log, whole: a copy in another container costs a lake no object."""
    return {"inline": b64encode(recipe).decode("ascii"), **more}


class RecipeReader:
    """A recipe as a file that is read from front to back, a blob or two in memory."""

    def __init__(self, reader: BlobReader, archive: ArchiveAdded) -> None:
        from sxeslake.vault.blobs.contents import read_ahead  # noqa: PLC0415 - see above

        inline = archive.recipe.get("inline")
        self._parts: Iterator[bytes] = (
            read_ahead(reader, recipe_blobs(archive)) if inline is None else iter([b64decode(inline)])
        )
        self._held = memoryview(b"")

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""
        while not self._held:
            part = next(self._parts, None)
            if part is None:
                return b""
            self._held = memoryview(part)
        data, self._held = bytes(self._held[:size]), self._held[size:]
        return data

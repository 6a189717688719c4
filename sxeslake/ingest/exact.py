"""Recipes of exact rebuilds, sought while an archive is at hand, and kept as blobs beside its members."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from tempfile import SpooledTemporaryFile
from time import monotonic
from typing import IO, Any, BinaryIO, Final, cast

import numpy as np
from blake3 import blake3

from sxeslake.archive.base import Container
from sxeslake.archive.exact.proving import Proved, Terms, TooLongError, prove
from sxeslake.archive.exact.recipe import Recipe, write_recipe
from sxeslake.archive.exact.spec import STORE, Spec
from sxeslake.disk.trouble import NoScratchError, scratch_told
from sxeslake.errors import InputError
from sxeslake.format.manifest import Blob
from sxeslake.ingest.blobtable import BlobTable
from sxeslake.ingest.options import Mode
from sxeslake.model import MIB, Digest
from sxeslake.vault.packs.frames import FrameMaker
from sxeslake.vault.packs.holding import NewBlob
from sxeslake.vault.recipes import INLINE_BYTES, RECIPE_PATH, as_inline, as_record

_LOG = logging.getLogger(__name__)

_IN_MEMORY_BYTES: Final = MIB  # of a recipe; a longer one is written to a temporary file
_GRACE_SECONDS: Final = 2.0  # what a run may spend on recipes in any case
_SHARE: Final = 0.5  # and beside that, of the time that the archives themselves took
_AT_ONCE: Final = 0.5  # of what is left: no archive that is hard takes everything from the easy ones behind it
_QUICK_MEMBERS: Final = 200_000  # more of them take memory that an ingest has no right to
_FINDS: Final = "`sxeslake exact` finds the recipe"  # kept with the version: in one wording, whoever ingests
_LATER: Final = f"it would take too long now; {_FINDS}"
_PASSED_OVER: Final[dict[Mode, str]] = {"later": _LATER, "never": "it came in with --exact never"}


@dataclass(frozen=True, slots=True)
class RecipeResult:
    """What became of the search: the recipe's blobs by their numbers in the run, or the reason why there is none."""

    numbers: tuple[int, ...] = ()
    new_numbers: range = range(0)  # of the run's blob table: what this recipe was the first to bring
    details: dict[str, Any] = field(default_factory=dict)
    inline: bytes = b""  # a short recipe: it stands in the log entry itself

    @property
    def found(self) -> bool:
        """Whether there is a recipe."""
        return bool(self.numbers or self.inline)

    def record(self, table: BlobTable) -> dict[str, Any]:
        """What the log says."""
        if self.inline:
            return as_inline(self.inline, **self.details)
        if not self.numbers:
            return self.details
        return as_record(
            [Blob(table.digest(number), int(table.sizes[number]), table.hint(number)) for number in self.numbers],
            **self.details,
        )


def no_recipe(reason: str) -> RecipeResult:
    """There is none, and why."""
    return RecipeResult(details={"reason": reason})


def stored_whole(size: int, sha256: str) -> RecipeResult:
    """The recipe of a file that is its own only member."""
    numbers = [np.array(values, np.int64) for values in ([0, 0], [size], [0], [0, 1], [0])]
    made = BytesIO()
    write_recipe(Recipe(size, sha256, (STORE,), (), *numbers), (), made)
    details = {"bytes": made.tell(), "residue_bytes": 0, "encoders": [str(STORE)], "tools": []}
    return RecipeResult(details=details, inline=made.getvalue())


@dataclass(frozen=True, slots=True)
class LongRecipe:
    """A recipe that becomes blobs, in a file."""

    file: IO[bytes]
    details: dict[str, Any]


class RecipeSeeker:
    """Seeks the recipes of one run's archives, within the time that they earn.

    `prove` may run in another thread, one archive after the other: each begins with what the one before has taught.
    """

    def __init__(
        self,
        table: BlobTable,
        find: Callable[[Sequence[Digest]], dict[Digest, Blob]],
        frames: FrameMaker,
        *,
        mode: Mode,
        chunk_bytes: int,
        threads: int,
        grace_seconds: float = _GRACE_SECONDS,
    ) -> None:
        """`grace_seconds`: what `auto` may spend beside its share of the time that the archives themselves took."""
        self._table, self._find, self._frames = table, find, frames
        self._mode, self._chunk_bytes, self._threads = mode, chunk_bytes, threads
        self._left_seconds = grace_seconds
        self._likely: tuple[Spec, ...] = ()  # one program wrote most archives of a folder
        self._seconds_per_byte = 0.0  # of the last archive whose recipe was found

    def seek(self, container: Container, path: Path, sha256: str | None, took_seconds: float) -> RecipeResult:
        """The recipe of an archive that was just read, which took so long."""
        return self.keep(self.prove(container, path, sha256, took_seconds))

    def keep(self, found: RecipeResult | LongRecipe) -> RecipeResult:
        """What was found, its blobs on their way to the lake."""
        if isinstance(found, RecipeResult):
            return found
        with found.file as file:
            first = len(self._table)
            return RecipeResult(self._store(file), range(first, len(self._table)), found.details)

    def prove(
        self, container: Container, path: Path, sha256: str | None, took_seconds: float
    ) -> RecipeResult | LongRecipe:
        """As `seek`, without storing anything."""
        if sha256 is None:
            return RecipeResult()
        if self._mode in _PASSED_OVER:
            return no_recipe(_PASSED_OVER[self._mode])
        earned = _SHARE * took_seconds
        terms = self._terms(container, path, earned)
        if terms is None:
            self._left_seconds += earned
            return no_recipe(_LATER)
        began = monotonic()
        try:
            with scratch_told(), ExitStack() as stack:
                file: IO[bytes] = stack.enter_context(SpooledTemporaryFile(_IN_MEMORY_BYTES, prefix="sxeslake-"))
                proved = prove(container, path, sha256, cast("BinaryIO", file), terms)
                _LOG.debug("recipe of %s: %s, %d bytes of residue", path, proved.encoders, proved.residue_bytes)
                self._likely = proved.recipe.encoders
                self._seconds_per_byte = (monotonic() - began) / max(1, proved.recipe.size)
                file.seek(0)
                head = file.read(INLINE_BYTES + 1)
                if len(head) <= INLINE_BYTES:
                    return RecipeResult(details=_details(proved), inline=head)
                file.seek(0)
                stack.pop_all()
                return LongRecipe(file, _details(proved))
        except (InputError, NoScratchError) as error:  # what cannot be made again is no reason to refuse the archive
            _LOG.debug("no recipe of %s: %s", path, error.what)
            return no_recipe(_why(error))
        finally:
            self._left_seconds = max(0.0, self._left_seconds + earned - (monotonic() - began))

    def _terms(self, container: Container, path: Path, earned: float) -> Terms | None:
        """How far to go for an archive; None where that would be in vain."""
        terms = Terms(threads=self._threads, any_cost=self._mode == "always", likely=self._likely)
        if self._mode != "auto":
            return terms
        seconds = earned + _AT_ONCE * self._left_seconds
        too_long = seconds < self._seconds_per_byte * path.stat().st_size  # tried in vain, it would cost as much
        return None if too_long or len(container.members) > _QUICK_MEMBERS else replace(terms, seconds=seconds)

    def _store(self, file: Any) -> tuple[int, ...]:
        numbers = []
        while data := file.read(self._chunk_bytes):
            numbers.append(self._number(data))
        return tuple(numbers)

    def _number(self, data: bytes) -> int:
        digest = blake3(data).digest()
        number = self._table.number(digest)
        if number is not None:
            return number
        known = self._find([digest]).get(digest)
        if known is not None:
            return self._table.add_known(known)
        number = self._table.add_new(digest, len(data))
        self._frames.add(RECIPE_PATH, NewBlob(number, digest, data))
        return number


def _why(error: InputError | NoScratchError) -> str:
    if isinstance(error, TooLongError):
        return f"{error.what}; {_FINDS}"
    return error.what if isinstance(error, InputError) else f"{error.where}: {error.what}"


def _details(proved: Proved) -> dict[str, Any]:
    return {
        "bytes": proved.size,
        "residue_bytes": proved.residue_bytes,
        "encoders": list(proved.encoders),
        "tools": list(proved.recipe.tools),
    }

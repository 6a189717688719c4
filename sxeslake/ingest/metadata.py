"""What ingest itself must know of an archive's metadata: is it an sxes group, which analyses, which JSON is broken."""

from __future__ import annotations

import json
from typing import Any

from sxeslake.archive.encodings import Guess, decodes, detect
from sxeslake.archive.sxes.documents.bounds import (
    PARSED_BYTES,
    TOO_MANY_VALUES,
    is_apple_double,
    parsed_bytes,
    too_large,
)
from sxeslake.archive.sxes.documents.listing import PositionListing, listing
from sxeslake.model import DOCUMENT_BYTES

METADATA = "metadata.json"  # the member that makes an archive an sxes group
_MAX_ANALYSES = 4096  # uuids kept in the log
_MAX_UUID_CHARS = 64
_MAX_WARNINGS = 20  # named in the log; the rest is counted


class MetadataReader:
    """Looks at members as they pass; never fails, whatever they hold."""

    def __init__(self, encoding: str | None = None, limit: int = DOCUMENT_BYTES) -> None:
        self.limit = limit
        self._encoding = encoding
        self.is_legacy = False  # whether a JSON file is in an encoding that it does not tell
        self._guesses: dict[str, tuple[str, float, int]] = {}  # encoding → first path, least confidence, how many
        self.is_group = False
        self.analyses: list[str] = []
        self.listing: PositionListing | None = None
        self._broken: list[str] = []
        self._broken_count = 0
        self._passed_over: list[str] = []
        self._passed_over_count = 0
        self._apple_doubles = 0
        self._inner: str | None = None  # the folder of a group that was packed with its folder

    def look(self, path: str, data: bytes) -> None:
        """Take note of a member."""
        if not path.endswith(".json"):
            return
        if is_apple_double(path):
            self._apple_doubles += 1
            return
        if len(data) > self.limit:
            self.pass_over(path, len(data))
            return
        if parsed_bytes(data) > PARSED_BYTES:
            self._pass(f"{path} {TOO_MANY_VALUES}; it is stored as it is")
            found = None
        else:
            found = self._parse(path, data)
        if path.endswith(f"/{METADATA}") and isinstance(found, dict) and {"projects", "analyses"} & found.keys():
            self._inner = self._inner or path.removesuffix(METADATA)
        if path == METADATA:
            self.is_group = True
            self.analyses = _analysis_uuids(found)
            self.listing = listing(found) if data[:1] == b"{" and decodes(data) else None

    def pass_over(self, path: str, size: int) -> None:
        """Take note of a JSON member that is too large to be looked into."""
        if not is_apple_double(path):
            self._pass(f"{path} is {too_large(size, self.limit)} as metadata")

    def _pass(self, warning: str) -> None:
        self._passed_over_count += 1
        if len(self._passed_over) < _MAX_WARNINGS:
            self._passed_over.append(warning)

    def _parse(self, path: str, data: bytes) -> Any:
        guess = self._encoding_of(data)
        try:
            value = json.loads(data.decode(guess.encoding))
        except (ValueError, LookupError, RecursionError) as error:
            self._broken_count += 1
            if len(self._broken) < _MAX_WARNINGS:
                self._broken.append(f"{path} is not readable as JSON ({error}); it is stored as it is")
            return None
        if guess.confidence < 1:
            first, least, count = self._guesses.get(guess.encoding, (path, guess.confidence, 0))
            self._guesses[guess.encoding] = first, min(least, guess.confidence), count + 1
        return value

    def _encoding_of(self, data: bytes) -> Guess:
        if not data or (decodes(data) and b"\0" not in data[:4]):
            return Guess("utf-8-sig", 1.0)
        guess = detect(data)
        if guess.confidence == 1.0:
            return guess
        self.is_legacy = True
        stated = self._encoding is not None and decodes(data, self._encoding)
        return Guess(self._encoding, 1.0) if stated and self._encoding else guess

    def warnings(self) -> tuple[str, ...]:
        """What a person should know of the metadata of this archive; of broken JSON only if it is a group."""
        said = list(self._passed_over)
        if more := self._passed_over_count - len(self._passed_over):
            said.append(f"and {more} more large JSON files")
        if self.is_group:
            said += [
                f"{first}{f' and {count - 1:,} more' if count > 1 else ''}: read as {Guess(encoding, least).said}; "
                "`--encoding` states another; the bytes are kept"
                for encoding, (first, least, count) in self._guesses.items()
            ]
            said += self._broken
            if more := self._broken_count - len(self._broken):
                said.append(f"and {more} more broken JSON files")
            if self._apple_doubles:
                said.append(
                    f"{self._apple_doubles} files that macOS added (__MACOSX, ._NAME) are stored, not read as metadata"
                )
        elif self._inner is not None:
            said.append(
                f"{self._inner}{METADATA} looks like that of a group inside a folder, so its metadata is not read; "
                f"pack what is in {self._inner} without the folder to have it in the catalogue"
            )
        return tuple(said)


def _analysis_uuids(metadata: Any) -> list[str]:
    analyses = metadata.get("analyses") if isinstance(metadata, dict) else None
    if not isinstance(analyses, list):
        return []
    uuids = [item.get("uuid") for item in analyses if isinstance(item, dict)]
    return [uuid for uuid in uuids if isinstance(uuid, str) and _tells_apart(uuid)][:_MAX_ANALYSES]


def _tells_apart(uuid: str) -> bool:
    """Whether it is a name that no other analysis has: neither empty nor all zeros, which archives share by chance."""
    return uuid.isascii() and len(uuid) <= _MAX_UUID_CHARS and bool(uuid.strip("0- "))

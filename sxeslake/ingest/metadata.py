"""What ingest itself must know of an archive's metadata: is it an sxes group, which analyses, which JSON is broken."""

from __future__ import annotations

import json
from typing import Any

from sxeslake.archive.sxes.listing import Listing, listing

METADATA = "metadata.json"  # the member that makes an archive an sxes group
MAX_JSON_BYTES = 64 * 1024 * 1024  # longer "JSON" is not looked into: metadata of 100,000 positions has 5 MB
_MAX_ANALYSES = 4096  # uuids kept in the log
_MAX_UUID_CHARS = 64
_MAX_WARNINGS = 20  # named in the log; the rest is counted


class MetadataReader:
    """Looks at members as they pass; never fails, whatever they hold."""

    def __init__(self, encoding: str | None = None) -> None:
        self._encodings = ["utf-8-sig", *([encoding] if encoding else []), "cp932", "cp437"]
        self.is_group = False
        self.analyses: list[str] = []
        self.listing: Listing | None = None
        self._broken: list[str] = []
        self._broken_count = 0

    def look(self, path: str, data: bytes) -> None:
        """Take note of a member."""
        if not path.endswith(".json"):
            return
        found = self._parse(path, data) if len(data) <= MAX_JSON_BYTES else None
        if path == METADATA:
            self.is_group = True
            self.analyses = _analysis_uuids(found)
            self.listing = listing(found) if data[:1] == b"{" and _is_utf8(data) else None

    def _parse(self, path: str, data: bytes) -> Any:
        for encoding in self._encodings:
            try:
                return json.loads(data.decode(encoding))
            except (UnicodeDecodeError, LookupError):
                continue
            except (ValueError, RecursionError) as error:
                self._broken_count += 1
                if len(self._broken) < _MAX_WARNINGS:
                    self._broken.append(f"{path} is not readable as JSON ({error}); it is stored as it is")
                return None
        return None

    def warnings(self) -> tuple[str, ...]:
        """What a person should know of the metadata of this archive, if it is a group."""
        if not self.is_group:
            return ()
        more = self._broken_count - len(self._broken)
        return (*self._broken, *((f"and {more} more broken JSON files",) if more else ()))


def _is_utf8(data: bytes) -> bool:
    """Whether it is what a part of it will be written in; a legacy encoding would have to be told."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _analysis_uuids(metadata: Any) -> list[str]:
    analyses = metadata.get("analyses") if isinstance(metadata, dict) else None
    if not isinstance(analyses, list):
        return []
    uuids = [item.get("uuid") for item in analyses if isinstance(item, dict)]
    return [uuid for uuid in uuids if isinstance(uuid, str) and _tells_apart(uuid)][:_MAX_ANALYSES]


def _tells_apart(uuid: str) -> bool:
    """Whether it is a name that no other analysis has: neither empty nor all zeros, which archives share by chance."""
    return uuid.isascii() and len(uuid) <= _MAX_UUID_CHARS and bool(uuid.strip("0- "))

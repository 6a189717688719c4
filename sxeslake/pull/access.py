"""The verbs of a lake that open single files of it, and keep a folder up to date: what `Lake` inherits.

lake.files("ti-grains@2").read("data/5/qlw.data", 0, 1024)
dict(lake.read_many("ti-grains@2", ["data/5/info.json", "data/5/qlw.data"]))
lake.locate("2019/map@2/data/5/qlw.data")
lake.sync("ti-grains", "unpacked/")
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sxeslake.errors import UsageError
from sxeslake.format.logentry import MAX_NAME_CHARS
from sxeslake.vault import refs

if TYPE_CHECKING:
    from sxeslake.model import Progress
    from sxeslake.pull.folder.sync import SyncReport
    from sxeslake.reading.files import VersionFiles
    from sxeslake.vault.log.state import Version
    from sxeslake.vault.vault import Vault

ARCHIVE_SUFFIXES = (".plzip", ".zip")
_LONGEST_REF = MAX_NAME_CHARS + 128  # a sample's name, and behind its `@` a tag
_KEEP_OPEN = 16  # versions whose tables are at hand


class Located(NamedTuple):
    """What a path in a lake leads to: a version, and a member of it; None for the whole archive as one file.

    Examples
    --------
    >>> files, member = lake.locate("map@1/metadata.json")
    >>> files.name, member
    ('map@1', 'metadata.json')
    """

    files: VersionFiles
    member: str | None


class FileVerbs:
    """Files of versions, by name; a folder kept up to date."""

    _vault: Vault

    def files(self, ref: str) -> VersionFiles:
        """The files of a version, to list and to read in parts. SampleNotFoundError for a name that is not there.

        Examples
        --------
        >>> lake.files("map").read("metadata.json", 0, 1)
        b'{'
        """
        return self._files_of(refs.find(self._vault.state, ref))

    def read_many(self, ref: str, members: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Several members of a version, found and fetched together: pairs of path and bytes, in the order asked.

        MemberNotFoundError, before anything is fetched, where one is not there.

        Examples
        --------
        >>> [path for path, data in lake.read_many("map", ["metadata.json"])]
        ['metadata.json']
        """
        return self.files(ref).read_many(members)

    def locate(self, path: str) -> Located | None:
        """`2019/map@2/data/5/qlw.data` → that version and `data/5/qlw.data`; None where no name fits.

        `map@2.plzip` is the whole version as a zip. Sample names can have slashes: the longest that fits counts.

        Examples
        --------
        >>> lake.locate("map/metadata.json").member
        'metadata.json'
        """
        cuts = [at for at, letter in enumerate(path[:_LONGEST_REF]) if letter == "/"]
        for cut in (len(path), *reversed(cuts)):
            version = refs.find_exactly(self._vault.state, path[:cut])
            if version is not None:
                return Located(self._files_of(version), path[cut + 1 :])
        for suffix in ARCHIVE_SUFFIXES:
            version = refs.find_exactly(self._vault.state, path.removesuffix(suffix)) if path.endswith(suffix) else None
            if version is not None:
                return Located(self._files_of(version), None)
        return None

    def names(self, prefix: str = "") -> list[str]:
        """The names of all samples that begin so, sorted.

        Examples
        --------
        >>> lake.names("m")
        ['map']
        """
        return sorted(name for name in self._vault.state.samples() if name.startswith(prefix))

    def sync(
        self,
        ref: str,
        folder: str | Path,
        *,
        delete: bool = False,
        dry_run: bool = False,
        progress: Progress | None = None,
    ) -> SyncReport:
        """Bring an unpacked folder up to date with a version by moving only what differs; made where it is not there.

        Files are compared by content; those that nobody touched since are not even read. Each is replaced in one
        step. What does not belong stays, unless `delete`. Raises AlreadyExistsError for a folder where a file belongs
        and InputError for a `delete` in a folder that holds no file of the version.

        Examples
        --------
        >>> report = lake.sync("map", "unpacked")
        >>> lake.sync("map", "unpacked").unchanged == report.members
        True
        """
        from sxeslake.pull.folder.sync import Sync

        if not str(folder).strip():  # an unset variable: it would be the current folder
            raise UsageError("no folder was named.", hint="The current one is called `.`.")
        return Sync(delete, dry_run, progress).run(self._vault, refs.find(self._vault.state, ref), Path(folder))

    @cached_property
    def _opened(self) -> dict[str, VersionFiles]:
        return {}

    def _files_of(self, version: Version) -> VersionFiles:
        from sxeslake.reading.files import VersionFiles

        found = self._opened.get(version.name)
        if found is None or found.version != version:
            found = VersionFiles(self._vault, version)
            for oldest in list(self._opened)[: len(self._opened) + 1 - _KEEP_OPEN]:
                self._opened.pop(oldest, None)
            self._opened[version.name] = found
        return found

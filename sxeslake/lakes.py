"""Several lakes as one, for reading: `Lakes`, the Python API of `--lake a --lake b`.

    with sxeslake.open_lakes(["epma", "s3://other-site/lake"]) as lakes:
        lakes.maps(kv=5).df()

Each lake is read as `Lake` reads it, and nothing is written to any of them. Answers have a column `lake`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Final, Self, Unpack

from sxeslake import settings
from sxeslake.errors import LakeNotFoundError, StorageError, SxeslakeError, UsageError, in_lake
from sxeslake.filter_words import FilterWords, with_filters
from sxeslake.lake import Lake, open_lake
from sxeslake.storage.address import is_remote
from sxeslake.views import SampleRow, Samples

if TYPE_CHECKING:
    from sxeslake.catalog.query.result import Result
    from sxeslake.catalog.query.sandbox import SandboxLimits
    from sxeslake.catalog.union import UnionCatalog

_LOG = logging.getLogger(__name__)
_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})
_MOST: Final = 100
"""More lakes than anybody reads as one; their numbers fit into `archive_id` with room to spare."""

Open = Callable[[str], Lake]
"""Opens the lake that a word means."""


def open_lakes(
    lakes: Sequence[str],
    *,
    storage_options: Mapping[str, str] | None = None,
    skip_unreachable: bool = False,
    retry_for_s: float | None = None,
) -> Lakes:
    """Open several lakes as one, for reading.

    Parameters
    ----------
    lakes : sequence of str
        URLs, folders, names given by `sxeslake use`, and names of groups.
    storage_options : mapping, optional
        Settings of the storage, for each of them that is not a folder, beside those kept with a name.
    skip_unreachable : bool
        Leave a lake out that does not answer or is not there; `Lakes.skipped` names it. Otherwise it is an error.
    retry_for_s : float, optional
        For how many seconds storage that is away is tried again; by default `SXESLAKE_RETRY_FOR`, or 60.

    Returns
    -------
    Lakes
        The lakes, by short names.

    Raises
    ------
    LakeNotFoundError
        Where there is no lake.
    StorageError
        Where storage does not answer, or refuses. The error names the lake.

    Examples
    --------
    >>> import sxeslake
    >>> with sxeslake.open_lakes(["lake"]) as lakes:
    ...     print([(row.lake, row.sample) for row in lakes.ls()])
    [('lake', 'map')]
    """

    def opened(word: str) -> Lake:
        options = options_of(word, storage_options or {}, of=len(words))
        return open_lake(word, storage_options=options, retry_for_s=retry_for_s)

    words = settings.members(lakes)
    return opened_as_one(words, opened, skip_unreachable=skip_unreachable)


def options_of(word: str, given: Mapping[str, str], *, of: int) -> dict[str, str]:
    """What holds of the storage options that were given for several lakes for one of these.

    None for a folder; and those that are kept with a name stand: they are the lake's own.
    """
    if of < 2:
        return dict(given)
    url, _ = settings.resolve_lake(word)
    kept = settings.storage_options(word)
    return {name: value for name, value in given.items() if name not in kept} if is_remote(url) else {}


def opened_as_one(
    words: Sequence[str], open_one: Open, *, skip_unreachable: bool, tell: Callable[[str], None] | None = None
) -> Lakes:
    """The lakes that words mean, each opened by `open_one`; `tell` hears of those that are left out."""
    if not words:
        raise UsageError("no lake was named.")
    if len(words) > _MOST:
        raise UsageError(f"{len(words)} lakes are too many to be read as one; {_MOST} can be.")
    made = Lakes(skip_unreachable=skip_unreachable, tell=tell)
    try:
        for name, word in settings.titles(words).items():
            made._add(name, word, open_one)
        made._check_any()
    except BaseException:
        made.close()
        raise
    return made


class Lakes(Mapping[str, Lake]):
    """Several lakes, open, by their names; asked as one.

    Equal content in several lakes is counted once, as copies in one lake are: in the lake that was named first.

    Attributes
    ----------
    skipped : dict of str to SxeslakeError
        Lakes that were left out because they could not be reached, and why.

    Examples
    --------
    >>> import sxeslake
    >>> with sxeslake.open_lakes(["lake"]) as lakes:
    ...     list(lakes), len(lakes.maps(kv=5)), lakes["lake"].names()
    (['lake'], 1, ['map'])
    """

    def __init__(self, *, skip_unreachable: bool = False, tell: Callable[[str], None] | None = None) -> None:
        self._lakes: dict[str, Lake] = {}
        self.skipped: dict[str, SxeslakeError] = {}
        self._skips, self._tell = skip_unreachable, tell
        self._opened = ExitStack()
        self._lock = threading.Lock()
        self._catalog: UnionCatalog | None = None

    def __getitem__(self, name: str) -> Lake:
        return self._lakes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._lakes)

    def __len__(self) -> int:
        return len(self._lakes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Lakes {', '.join(self._lakes)}>"

    def close(self) -> None:
        """Close them all.

        Examples
        --------
        >>> lakes = sxeslake.open_lakes(["lake"])
        >>> lakes.close()
        """
        with self._lock:
            if self._catalog is not None:
                self._catalog.close()
                self._catalog = None
        self._opened.close()

    def ls(self, pattern: str | Sequence[str] = "*", *, all_versions: bool = False) -> Samples:
        """List samples of all lakes by name: the newest version of each, or all versions.

        Parameters
        ----------
        pattern : str or sequence of str
            Names and globs.
        all_versions : bool
            List older versions, too.

        Returns
        -------
        Samples
            A list of `SampleRow`, each with its lake. A sample of the same name in two lakes is two samples.

        Examples
        --------
        >>> with sxeslake.open_lakes(["lake"]) as lakes:
        ...     [(row.lake, row.sample, row.version) for row in lakes.ls("m*")]
        [('lake', 'map', 1)]
        """
        rows: list[SampleRow] = []
        for name, lake in self._lakes.items():
            rows += [replace(row, lake=name) for row in lake.ls(pattern, all_versions=all_versions)]
        return Samples(sorted(rows, key=lambda row: row.sample))  # stable: lakes in their order, versions in theirs

    def query(
        self,
        name: str,
        words: Mapping[str, object] = _NOTHING,
        /,
        *,
        limit: int | None = None,
        queries: Sequence[str | Path] = (),
        limits: SandboxLimits | None = None,
        stream: bool = False,
        **more: object,
    ) -> Result:
        """Answer a question over the union of the lakes; see `Lake.query`.

        Parameters
        ----------
        name : str
            The question, such as ``"maps-by-beam-condition"``.
        words : mapping, optional
            Its parameters and the shared filters.
        limit : int, optional
            At most so many rows, of all lakes together.
        queries : sequence of paths
            Folders with questions of one's own.
        limits : SandboxLimits, optional
            Of time and memory, for SQL of such a folder.
        stream : bool
            Read the rows as they are asked for, once, while the lakes are open.
        **more
            As `words`, as keywords: ``kv=5``.

        Returns
        -------
        Result
            The rows; where they name samples, a column `lake` says whose.

        Examples
        --------
        >>> with sxeslake.open_lakes(["lake"]) as lakes:
        ...     row = lakes.query("maps-by-beam-condition", kv=5).rows()[0]
        >>> row["lake"], row["sample"]
        ('lake', 'map')
        """
        folders = [Path(folder) for folder in queries]
        result = self._asked().query(name, {**words, **more}, folders=folders, limit=limit, limits=limits)
        return result if stream else result.kept()

    @with_filters
    def maps(self, **filters: Unpack[FilterWords]) -> Result:
        """Maps whose positions all fit; one row a map, newest first.

        Examples
        --------
        >>> with sxeslake.open_lakes(["lake"]) as lakes:
        ...     [row["lake"] for row in lakes.maps(kv=5)]
        ['lake']
        """
        return self.query("maps-by-beam-condition", filters)

    @with_filters
    def positions(self, **filters: Unpack[FilterWords]) -> Result:
        """Positions that fit; one row a position.

        Examples
        --------
        >>> with sxeslake.open_lakes(["lake"]) as lakes:
        ...     len(lakes.positions(kv=(4, 6)))
        12
        """
        return self.query("positions-by-condition", filters)

    @with_filters
    def find(self, text: str, /, **filters: Unpack[FilterWords]) -> Result:
        """Names, comments, operators, projects, paths, annotations and documents that hold all words of `text`.

        Examples
        --------
        >>> with sxeslake.open_lakes(["lake"]) as lakes:
        ...     len(lakes.find("map")) > 0
        True
        """
        return self.query("find-text", {**filters, "text": text})

    @with_filters
    def conditions(self, **filters: Unpack[FilterWords]) -> Result:
        """Each condition's values, and how many positions, archives and samples of all lakes have them.

        Examples
        --------
        >>> with sxeslake.open_lakes(["lake"]) as lakes:
        ...     "JS300N" in [row["value"] for row in lakes.conditions(kv=5)]
        True
        """
        return self.query("condition-values", filters)

    def sql(
        self, text: str, /, *, limits: SandboxLimits | None = None, stream: bool = False, **parameters: object
    ) -> Result:
        """Answer one SELECT over the union of the catalogues; each table has a column `lake`.

        `archive_id` joins tables across lakes, too: no two lakes share one.

        Parameters
        ----------
        text : str
            The SELECT; `$name` in it is bound to the parameter of that name.
        limits : SandboxLimits, optional
            Of time and memory.
        stream : bool
            As for `query`.
        **parameters
            Values of ``$name``.

        Returns
        -------
        Result
            The rows.

        Examples
        --------
        >>> with sxeslake.open_lakes(["lake"]) as lakes:
        ...     lakes.sql("SELECT lake, count(*) AS n FROM positions GROUP BY lake").rows()
        [{'lake': 'lake', 'n': 12}]
        """
        result = self._asked().sql(text, parameters, limits=limits)
        return result if stream else result.kept()

    def _add(self, name: str, word: str, open_one: Open) -> None:
        """Open one more."""
        try:
            self._lakes[name] = self._opened.enter_context(open_one(word))
        except (StorageError, LakeNotFoundError) as error:
            named = in_lake(name, error)
            if not self._skips:
                raise named from error
            self._skip(name, named)

    def _skip(self, name: str, error: SxeslakeError) -> None:
        _LOG.info("lake %s is left out: %s", name, error)
        self.skipped[name] = error
        self._lakes.pop(name, None)
        if self._tell is not None:
            self._tell(f"{error.where}: left out: {error.what}")

    def _check_any(self) -> None:
        if not self._lakes:
            raise next(iter(self.skipped.values()))

    def _asked(self) -> UnionCatalog:
        """The union of the catalogues, opened by the first question."""
        from sxeslake.catalog.union import UnionCatalog  # noqa: PLC0415 - heavy; `ls` does without

        with self._lock:
            if self._catalog is None:
                catalogs = {name: lake._asked() for name, lake in self._lakes.items()}
                tell = self._skip if self._skips else None
                self._catalog = UnionCatalog(catalogs, time_zones=settings.time_zones(), tell=tell)
            return self._catalog

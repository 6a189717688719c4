"""The Python API: one lake, its archives, and the verbs that the command line has too."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

from sxeslake import settings, views
from sxeslake.catalog.verbs import CatalogVerbs
from sxeslake.disk.output import plain_name
from sxeslake.errors import AlreadyExistsError, ConflictError, MemberNotFoundError, UsageError
from sxeslake.exports.verbs import ExportVerbs
from sxeslake.format import keys
from sxeslake.maintenance.retention.verbs import RetentionVerbs
from sxeslake.maintenance.verbs import UpkeepVerbs
from sxeslake.model import Limits, Progress
from sxeslake.pull.access import FileVerbs
from sxeslake.pull.archive_verbs import PullVerbs
from sxeslake.pull.verbs import PartVerbs
from sxeslake.storage import Store, is_remote, probe
from sxeslake.storage.address import without_userinfo
from sxeslake.text.html import Rows
from sxeslake.vault import refs
from sxeslake.vault.local import remembered
from sxeslake.vault.vault import Vault, create_lake
from sxeslake.version import TOOL
from sxeslake.views import MemberRow, Samples, VersionInfo

if TYPE_CHECKING:
    from sxeslake.archive.sxes.group import Group
    from sxeslake.ingest.audit.report import ReportRow
    from sxeslake.ingest.audit.run import AuditRow
    from sxeslake.ingest.exact_backfill import ExactRow
    from sxeslake.ingest.report import IngestReport
    from sxeslake.ingest.survey.run import Survey
    from sxeslake.ingest.talk import Watcher
    from sxeslake.maintenance.report import RepairReport
    from sxeslake.pull.part.wanted import Chosen
    from sxeslake.reading.source import VersionSource
    from sxeslake.vault.log.state import Version

# The engines are imported by the verbs that need them: `ls` on a thin laptop must not wait for codecs.

NO_OPTIONS: Mapping[str, str] = MappingProxyType({})
_NO_LIMITS = Limits()

PathLike = str | Path


class Opening(NamedTuple):
    """With which words a lake was opened, so that a pickle of it can be opened elsewhere."""

    address: str
    storage_options: Mapping[str, str]
    limit_up: str | None
    limit_down: str | None
    retry_for_s: float | None
    tolerant: bool = False

    def arguments(self, url: str) -> dict[str, Any]:
        """Of `open_lake`, to open the lake of that URL again. Raises TypeError where that takes a secret."""
        secret = [name for name in self.storage_options if settings.is_secret(name)]
        if without_userinfo(self.address) != self.address:
            secret.append("the URL")
        if secret:
            raise TypeError(
                f"this lake cannot be pickled: it was opened with secrets ({', '.join(secret)}), which no pickle may "
                "hold. Give credentials by the AWS variables or a profile, or open the lake again where it is needed."
            )
        return {
            "url": url, "storage_options": self.storage_options, "limit_up": self.limit_up,
            "limit_down": self.limit_down, "retry_for_s": self.retry_for_s, "tolerant": self.tolerant,
        }  # fmt: skip


def _options(word: str | None, given: Mapping[str, str] | None) -> Mapping[str, str]:
    return {**settings.storage_options(word), **(given or {})}


def _open_again(arguments: Mapping[str, Any]) -> Lake:
    return open_lake(**arguments)


def open_lake(
    url: str | None = None,
    *,
    storage_options: Mapping[str, str] | None = None,
    limit_up: str | None = None,
    limit_down: str | None = None,
    retry_for_s: float | None = None,
    tolerant: bool = False,
) -> Lake:
    """Open a lake by URL or name; without one, the lake in use.

    Parameters
    ----------
    url
        `/folder`, `file://…`, `s3://bucket/prefix`, `memory://name`, or a name given by `sxeslake use`. None means
        `SXESLAKE_LAKE`, else the lake in use (`sxeslake use NAME` chooses it), else the embedded default lake.
    storage_options
        Settings of the storage, such as `endpoint_url` or `profile`, beside those kept with a name.
    limit_up, limit_down
        Bounds of the traffic, `"5MB/s"`; by default `SXESLAKE_LIMIT_UP` and `SXESLAKE_LIMIT_DOWN`.
    retry_for_s
        For how many seconds storage that is away or busy is tried again; by default `SXESLAKE_RETRY_FOR`, or 60.
    tolerant
        Open a lake with a damaged log without a word, for `verify` and `repair`.

    Returns
    -------
    Lake
        A lake whose log is damaged is read as far as it goes (see `Lake.damage`), and refuses to be written.

    Raises
    ------
    LakeNotFoundError
        Where there is no lake.
    NotFoundError
        For a name that nobody has given.
    StorageError
        Where storage does not answer, or refuses.

    Examples
    --------
    >>> import sxeslake
    >>> with sxeslake.open("lake") as lake:
    ...     print([row.sample for row in lake.ls()])
    ['map']
    """
    address, store = settings.open_storage(url, storage_options, limit_up, limit_down, retry_for_s)
    opening = Opening(address, _options(url, storage_options), limit_up, limit_down, retry_for_s, tolerant)
    try:
        vault = Vault(store, _cache(address), tolerant=tolerant, keep_bytes=_keep_bytes(address))
        return Lake(vault, opening)
    except BaseException:
        store.close()
        raise


def init(
    url: str | None = None,
    *,
    storage_options: Mapping[str, str] | None = None,
    limit_up: str | None = None,
    limit_down: str | None = None,
    retry_for_s: float | None = None,
) -> Lake:
    """Make a lake, and open it.

    Parameters
    ----------
    url, storage_options, limit_up, limit_down, retry_for_s
        As for `sxeslake.open`: an empty folder, or a bucket or prefix with nothing in it.

    Returns
    -------
    Lake
        The lake, empty; the one that is there already where an earlier call was interrupted.

    Raises
    ------
    AlreadyExistsError
        Where a lake is, or anything else.
    ConflictError
        On storage that does not keep two writers apart.

    Examples
    --------
    >>> import sxeslake
    >>> with sxeslake.init("another lake") as lake:
    ...     print(lake.stats().samples)
    0
    """
    from sxeslake.salvage import carried

    address, store = settings.open_storage(url, storage_options, limit_up, limit_down, retry_for_s)
    try:
        if store.size(keys.LAKE) is None:
            _check_empty(store)
            report = probe(store)
            if not report.create_only:
                raise ConflictError(
                    f"this storage does not keep create-only writes apart: {report.detail}.",
                    where=store.url,
                    hint="Two writers could overwrite each other. Use AWS S3, SeaweedFS ≥ 4.48, Ceph or a folder.",
                )
        create_lake(store, carried.texts())
        opening = Opening(address, _options(url, storage_options), limit_up, limit_down, retry_for_s)
        return Lake(Vault(store, _cache(address), keep_bytes=_keep_bytes(address)), opening)
    except BaseException:
        store.close()
        raise


def _check_empty(store: Store) -> None:
    """A folder or bucket with something else in it is never made into a lake."""
    found = next(iter(store.list("")), None)
    if found is not None:
        raise AlreadyExistsError(
            f"this place is not empty and holds no lake: {found.key} is there.",
            where=store.url,
            hint="Choose an empty folder or another prefix.",
        )


def _keep_bytes(address: str) -> int:
    """Room for what was fetched: of a remote lake only; a second copy of a local one would save nothing."""
    return settings.cache_bytes() if is_remote(address) else 0


def _cache(address: str) -> Path | None:
    return None if address.startswith("memory:") else settings.lakes_cache_dir()


class Lake(FileVerbs, PullVerbs, PartVerbs, CatalogVerbs, ExportVerbs, UpkeepVerbs, RetentionVerbs):
    """A lake, open. Names are `sample`, `sample@2` or `sample@tag`; answers are those of the last `refresh`.

    `sxeslake.open` and `sxeslake.init` make one. In a notebook it shows its samples. It can be pickled: it is opened
    again by its URL, without secrets.

    Attributes
    ----------
    url
        Its address, without secrets.
    damage
        What is wrong with its log, in words.

    Examples
    --------
    >>> import sxeslake
    >>> with sxeslake.open("lake") as lake:
    ...     lake.pull("map", "map again.plzip").container
    ...     lake["map"].positions[0].xes.shape
    ...     [row["positions"] for row in lake.maps(kv=5, grating="JS300N")]
    'zip'
    (17, 2049)
    [12]
    """

    def __init__(self, vault: Vault, opening: Opening | None = None) -> None:
        self._vault = vault
        self._opening = opening
        self._last: VersionSource | None = None

    @property
    def url(self) -> str:
        """Its address, without secrets.

        Examples
        --------
        >>> lake.url.rpartition("/")[2]
        'lake'
        """
        return self._vault.store.url

    def close(self) -> None:
        """Close files, threads and connections.

        Examples
        --------
        >>> lake = sxeslake.open("lake")
        >>> lake.close()
        """
        self._close_catalog()
        self._vault.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[object, ...]:
        """A pickle holds the lake's URL and how it was opened; it opens the lake again. Secrets stay out of it."""
        if self._opening is None:
            raise TypeError("this lake cannot be pickled: it was made of storage, not opened by its URL.")
        return _open_again, (self._opening.arguments(self.url),)

    def __repr__(self) -> str:
        return f"<Lake {self.url}, commit {self._vault.state.head().number}>"

    def _repr_html_(self) -> str:
        """Its address, what it holds, and its samples."""
        samples = self.ls()
        versions = len(list(self._vault.state.versions()))
        counts = [
            f"{n:,} {word if n == 1 else word + 's'}" for n, word in ((len(samples), "sample"), (versions, "version"))
        ]
        return samples.html(f"Lake {self.url}, commit {self._vault.state.head().number}: {', '.join(counts)}")

    def tell_trouble(self, tell: Callable[[str], None]) -> None:
        """Have it said, once, if the cache on this machine cannot be used: everything works without, but slower.

        Examples
        --------
        >>> lake.tell_trouble(print)
        """
        self._vault.tell_trouble(tell)

    @property
    def damage(self) -> list[str]:
        """What is wrong with the log and `lake.json`, in words; what it does not touch is read all the same.

        Examples
        --------
        >>> lake.damage
        []
        """
        return self._vault.damage_in_words()

    def refresh(self) -> int:
        """Fold what others have committed since this lake was opened; the number of the newest commit.

        Examples
        --------
        >>> lake.refresh()
        1
        """
        return self._vault.sync().number

    # --- in ------------------------------------------------------------------------------------------------------

    def ingest(
        self,
        paths: PathLike | Iterable[PathLike],
        *,
        sample: str | None = None,
        jobs: int | None = None,
        tree: bool = False,
        dry_run: bool = False,
        encoding: str | None = None,
        limits: Limits = _NO_LIMITS,
        message: str | None = None,
        exact: Literal["auto", "always", "never"] = "auto",
        opaque: Literal["auto", "always", "never"] = "auto",
        check_data: bool = False,
        links: Literal["follow", "keep", "skip"] = "keep",
        quick: bool = False,
        passwords: Sequence[str] = (),
        progress: Progress | None = None,
        watcher: Watcher | None = None,
    ) -> IngestReport:
        """Store archives: files, folders that are searched, unpacked groups; any folder as one archive with `tree`.

        `exact`: seek how the original file is rebuilt where that is quick (auto), at any cost, or never. `links`: read
        symbolic links in folders (follow), only those that stay in the searched folders (keep), or none (skip).
        Content of packs that are missing is stored again; with `check_data` packs are also read and hashed first.
        `dry_run` reads and encodes everything and stores nothing; with `quick` it reads a sample: see `estimate`.
        Each encrypted 7z is tried with the `passwords`; the lake then holds its contents unencrypted, and a pull gives
        them in a new container. `watcher` hears of each archive while the run goes on. A
        failed archive does not stop the others, nor does a folder that cannot be read: see `report.failed`. Raises
        NotFoundError for a path that does not exist, StorageError where the lake cannot be written.

        Examples
        --------
        >>> lake.ingest("map.plzip").archives[0].status
        'unchanged'
        """
        from sxeslake.ingest import engine
        from sxeslake.ingest.options import Options

        if quick and not dry_run:
            raise UsageError("only a dry run can be quick.", hint="Give dry_run=True, too.")
        options = Options(
            sample, jobs, dry_run, encoding, limits, message, exact, links, opaque, check_data, quick, _words(passwords)
        )  # fmt: skip
        return engine.ingest(
            self._vault, _paths(paths), tree=tree, options=options, tool=TOOL, progress=progress, watcher=watcher
        )

    def survey(
        self,
        paths: PathLike | Iterable[PathLike],
        *,
        by: Literal["folder", "year", "kind"] = "folder",
        tree: bool = False,
        jobs: int | None = None,
        links: Literal["follow", "keep", "skip"] = "keep",
        passwords: Sequence[str] = (),
        progress: Progress | None = None,
        watcher: Watcher | None = None,
    ) -> Survey:
        """Tell, before anything is stored, how much of some archives is duplicate, where, and what they would take.

        Each encrypted 7z is tried with the `passwords`.

        Examples
        --------
        >>> found = lake.survey(["map.plzip", "facility"])
        >>> found.total.duplicates
        3
        """
        from sxeslake.ingest.survey.run import survey

        report = self.ingest(
            paths, tree=tree, jobs=jobs, links=links, dry_run=True, passwords=passwords, progress=progress,
            watcher=watcher,
        )  # fmt: skip
        return survey(report, by)

    def exact(
        self,
        patterns: str | Sequence[str] = (),
        *,
        everything: bool = False,
        source: PathLike | None = None,
        any_cost: bool = False,
        jobs: int | None = None,
        progress: Progress | None = None,
    ) -> Rows[ExactRow]:
        """Seek how the original files of versions are rebuilt, without the limit of time that an ingest has.

        The file is read where it came from, or at `source`; its SHA-256 must be the version's. `any_cost` keeps what
        resists as it is, also where the recipe takes more than 5 % of the file.

        Examples
        --------
        >>> [row.exact for row in lake.exact("map")]
        [True]
        """
        from sxeslake.ingest.exact_backfill import seek

        names = [patterns] if isinstance(patterns, str) else patterns
        versions = refs.find_all(self._vault.state, names, everything=everything)
        if source is not None and len(versions) != 1:
            raise UsageError("one file is the source of one version.", hint="Name one sample, or leave the file out.")
        where = None if source is None else Path(source)
        return Rows(seek(self._vault, versions, where, any_cost=any_cost, threads=jobs, tool=TOOL, progress=progress))

    def audit(
        self,
        paths: PathLike | Iterable[PathLike],
        *,
        check_data: bool = False,
        tree: bool = False,
        links: Literal["follow", "keep", "skip"] = "keep",
        passwords: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> Rows[AuditRow]:
        """Tell of each file whether the lake gives it back: `stored`, `same-content`, `changed`, `absent`, …

        Only of `stored` nothing is lost when the file is deleted: a pull gives it back byte for byte. The bucket is
        asked for the packs that this needs; `check_data` reads and hashes them, too. Each encrypted 7z is tried with
        the `passwords`. Deletes nothing.

        Examples
        --------
        >>> [row.status for row in lake.audit("map.plzip")]
        ['stored']
        """
        from sxeslake.ingest.audit.run import audit

        return Rows(
            audit(
                self._vault, _paths(paths), progress, check_data=check_data, tree=tree, links=links,
                passwords=_words(passwords),
            )
        )  # fmt: skip

    def verify_audit(
        self, report: PathLike, *, check_data: bool = False, progress: Progress | None = None
    ) -> Rows[ReportRow]:
        """Check a report of `sxeslake audit -o` against the lake as it is now: see `holds` of each row.

        Examples
        --------
        >>> import subprocess, sys
        >>> words = ["audit", "map.plzip", "--lake", "lake", "-o", "report.csv"]
        >>> done = subprocess.run([sys.executable, "-m", "sxeslake", *words], check=True, capture_output=True)
        >>> [row.holds for row in lake.verify_audit("report.csv")]
        [True]
        """
        from sxeslake.ingest.audit.report import verify

        return Rows(verify(self._vault, Path(report), check_data=check_data, progress=progress))

    # --- what there is -------------------------------------------------------------------------------------------

    def ls(self, pattern: str | Sequence[str] = "*", *, all_versions: bool = False) -> Samples:
        """The newest version of each sample whose name fits one of the patterns; all versions on request.

        Examples
        --------
        >>> [(row.sample, row.version) for row in lake.ls("m*")]
        [('map', 1)]
        """
        state = self._vault.state
        patterns = [pattern] if isinstance(pattern, str) else list(pattern)
        names = {text for text in patterns if not refs.is_pattern(state, text)}
        globs = [text for text in patterns if text not in names]
        rows = [
            version
            for version in state.versions()
            if version.sample in names or any(fnmatch.fnmatchcase(version.sample, text) for text in globs)
        ]
        if not all_versions:
            rows = list({version.sample: version for version in rows}.values())
        return views.Samples(map(views.sample_row, rows))

    def resolve(self, patterns: str | Sequence[str], *, everything: bool = False) -> list[str]:
        """Names and globs → `name@version`, each once. SampleNotFoundError, with near misses, for no match.

        Examples
        --------
        >>> lake.resolve("m*")
        ['map@1']
        """
        names = [patterns] if isinstance(patterns, str) else patterns
        return [version.name for version in refs.find_all(self._vault.state, names, everything=everything)]

    def is_pattern(self, text: str) -> bool:
        """Whether a text stands for the samples that it fits; a name that is there never does.

        Examples
        --------
        >>> lake.is_pattern("2019/*"), lake.is_pattern("map")
        (True, False)
        """
        return refs.is_pattern(self._vault.state, text)

    def show(self, ref: str) -> VersionInfo:
        """All that the log knows of a version.

        Examples
        --------
        >>> info = lake.show("map")
        >>> info.sample, info.version, info.container
        ('map', 1, 'zip')
        """
        return views.version_info(self._vault.state, self._version(ref))

    def members(self, ref: str) -> Iterator[MemberRow]:
        """The members of a version, in archive order.

        Examples
        --------
        >>> "metadata.json" in [row.path for row in lake.members("map")]
        True
        """
        version = self._version(ref)
        return map(views.member_row, remembered.noting_members(self._vault.folder, version, self._vault.rows(version)))

    # --- out -----------------------------------------------------------------------------------------------------

    def read(self, ref: str, member: str) -> bytes:
        """One member of a version, proved by its hash. MemberNotFoundError where there is none.

        Examples
        --------
        >>> lake.read("map", "metadata.json")[:1]
        b'{'
        """
        return b"".join(self.stream(ref, member))

    def stream(self, ref: str, member: str) -> Iterator[bytes]:
        """One member of a version, in parts of a few MiB at most.

        Examples
        --------
        >>> sum(len(block) for block in lake.stream("map", "metadata.json")) > 0
        True
        """
        source = self._source(ref)
        row = source.row(member)
        if row is None or row.member.kind == "directory":
            raise MemberNotFoundError(
                f"no file {member!r} in it.", where=source.name, hint=f"`sxeslake members {source.name}` lists them."
            )
        return source.parts(row)

    def _pull_into(self, ref: str, folder: Path, progress: Progress | None) -> None:
        self.pull(ref, folder / plain_name(self.file_name(ref)), progress=progress)

    def open_group(self, ref: str) -> Group:
        """A version as an sxes group: positions and spectra read straight from the bucket.

        Examples
        --------
        >>> len(lake.open_group("map").positions)
        12
        """
        from sxeslake.archive.sxes.group import open_group

        group = open_group(self._source(ref))
        group.calibrations = self._calibrations
        return group

    def __getitem__(self, ref: str) -> Group:
        return self.open_group(ref)

    def repair(
        self,
        offers: PathLike | Lake | Iterable[PathLike | Lake] = (),
        *,
        from_storage_options: Mapping[str, str] | None = None,
        dry_run: bool = False,
        passwords: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> RepairReport:
        """Put right what `verify` finds wrong, with the content of archives, folders and other lakes that are offered.

        `from_storage_options` are settings of the storage of lakes that are offered by URL; this lake's own are never
        sent to them. An encrypted 7z is tried with the `passwords`.

        Open the lake with `tolerant=True`, or a damaged log stops you before. What cannot be repaired is listed in
        `report.lost` by archive and member; the rest stays readable.

        Examples
        --------
        >>> lake.repair("map.plzip").ok
        True
        """
        from sxeslake.ingest import discovery as finding
        from sxeslake.maintenance.repair.run import repair

        words = [offers] if isinstance(offers, str | Path | Lake) else list(offers)
        with ExitStack() as opened:
            lakes = [word for word in words if isinstance(word, Lake)]
            lakes += [
                opened.enter_context(open_lake(str(word), storage_options=from_storage_options))
                for word in words
                if settings.names_lake(word)
            ]
            paths = [Path(word) for word in words if not isinstance(word, Lake) and not settings.names_lake(word)]
            archives = [found.path for found in finding.find_any(paths)]
            others = [lake._vault for lake in lakes]
            vault = opened.enter_context(self._vault.from_bucket(remembering=True))
            report = repair(
                vault, archives, others, TOOL, dry_run=dry_run, passwords=_words(passwords), progress=progress
            )
        if report.ok:
            self._repair_catalog(report, dry_run=dry_run)
        return report

    def _repair_catalog(self, report: RepairReport, *, dry_run: bool) -> None:
        """Publish a catalogue again that is not what the archives say: it is all derived."""
        from sxeslake.maintenance.report import Mended

        wrong = self._wrong_catalog(everything=True, seed=None)
        if wrong and not dry_run:
            self._asked().republish()
        report.problems += len(wrong)
        report.mended += [Mended("checkpoint", key, f"{what}; published again") for key, what in wrong.items()]

    def _wrong_catalog(self, *, everything: bool, seed: int | None) -> dict[str, str]:
        return self._asked().wrong_published(everything=everything, seed=seed) if self._publishes() else {}

    def _publishes(self) -> bool:
        """Whether anybody has published a catalogue: most small lakes have none, and need no DuckDB here."""
        from sxeslake.catalog.store.checkpoint import published_numbers

        return bool(published_numbers(self._vault.store))

    def _time_zones(self) -> Mapping[str, str]:
        return settings.time_zones()

    def _document_bytes(self) -> int:
        return settings.document_bytes()

    def _positions_of(self, question: Mapping[str, Any], versions: Sequence[Version]) -> list[Chosen]:
        from sxeslake.catalog.query.select import Question, choose_positions
        from sxeslake.pull.part.wanted import Chosen

        places = [(version.sample, version.version) for version in versions]
        return [Chosen(*row) for row in choose_positions(self._asked(), Question(**question), places)]

    def _version(self, ref: str) -> Version:
        return refs.find(self._vault.state, ref)

    def _source(self, ref: str) -> VersionSource:
        """The members of a version; the last one asked for is kept, with the rows that it has read."""
        from sxeslake.reading.source import VersionSource

        version = self._version(ref)
        if self._last is None or self._last.version != version:
            self._last = VersionSource(self._vault, version)
        return self._last


def _words(passwords: Sequence[str]) -> tuple[str, ...]:
    """Passwords; a single text is one, not its letters."""
    return (passwords,) if isinstance(passwords, str) else tuple(passwords)


def _paths(paths: PathLike | Iterable[PathLike]) -> list[Path]:
    found = [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]
    if not found:
        raise UsageError("no path was given.")
    return found

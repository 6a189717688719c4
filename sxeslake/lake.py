"""The Python API: one lake, and the verbs that the command line has too.

Each verb hands its words to an engine, which it imports itself: `ls` on a thin laptop must not wait for codecs.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, NamedTuple, Self, TypeVar, Unpack

from sxeslake import settings, views
from sxeslake.disk.output import named, plain_name
from sxeslake.errors import AlreadyExistsError, ConflictError, UsageError
from sxeslake.filter_words import FilterWords, with_filters
from sxeslake.format import keys
from sxeslake.model import PRESETS, ContainerKind, Limits, Progress
from sxeslake.storage import Store, is_remote, probe
from sxeslake.storage.address import without_userinfo
from sxeslake.text.html import Rows
from sxeslake.vault import refs
from sxeslake.vault.local import remembered
from sxeslake.vault.vault import Vault, create_lake
from sxeslake.version import TOOL
from sxeslake.views import MemberRow, Samples, VersionInfo

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import xarray as xr

    from sxeslake.archive.migration.report import MigrationReport
    from sxeslake.archive.spectra.comparison import Comparison, Normalisation
    from sxeslake.archive.spectra.measured import Measured
    from sxeslake.archive.spectra.roi import Roi
    from sxeslake.archive.spectra.spectra import Spectra
    from sxeslake.archive.sxes.axes import Calibration
    from sxeslake.archive.sxes.group import Group
    from sxeslake.archive.sxes.position import Position
    from sxeslake.catalog.catalog import Annotated, Catalog, CheckpointReport
    from sxeslake.catalog.measurement import Conditions, MeasuredAnalysis
    from sxeslake.catalog.model import MakeProgress
    from sxeslake.catalog.open_tables.publish import TablesReport
    from sxeslake.catalog.query.header import Query
    from sxeslake.catalog.query.result import Result
    from sxeslake.catalog.query.sandbox import SandboxLimits
    from sxeslake.catalog.schema.registry import Table
    from sxeslake.catalog.store.comparison import Rebuilt
    from sxeslake.exports.report import ExportReport
    from sxeslake.exports.run import Format
    from sxeslake.ingest.audit.report import ReportRow
    from sxeslake.ingest.audit.run import AuditRow
    from sxeslake.ingest.exact_backfill import ExactRow
    from sxeslake.ingest.interpret.report import InterpretReport
    from sxeslake.ingest.options import Options
    from sxeslake.ingest.report import IngestReport
    from sxeslake.ingest.survey.run import Survey
    from sxeslake.ingest.talk import Watcher
    from sxeslake.maintenance.calibrations import CalibrationReport
    from sxeslake.maintenance.gc.run import GcReport
    from sxeslake.maintenance.history import LogRow
    from sxeslake.maintenance.repack.run import RepackReport
    from sxeslake.maintenance.report import Check, CopyReport, RepairReport, Stats, VerifyReport
    from sxeslake.maintenance.retention.forget import ForgetReport, RestoreReport
    from sxeslake.maintenance.retention.rename import RenameReport
    from sxeslake.maintenance.retention.tags import MarkReport
    from sxeslake.maintenance.retention.tidy import TidyReport
    from sxeslake.plotting import Plots
    from sxeslake.pull.access import Located
    from sxeslake.pull.difference import Difference
    from sxeslake.pull.drill import DrillReport
    from sxeslake.pull.folder.sync import SyncReport
    from sxeslake.pull.part.request import CatalogChoice
    from sxeslake.pull.part.selection import Budget, SelectionReport
    from sxeslake.pull.part.wanted import Chosen, PartSpec
    from sxeslake.pull.share import Restored, ShareReport
    from sxeslake.pull.whole import PullReport
    from sxeslake.reading.files import VersionFiles
    from sxeslake.reading.open_versions import OpenVersions
    from sxeslake.reading.source import VersionSource
    from sxeslake.science import LakeMeasurements
    from sxeslake.vault.log.state import Version
    from sxeslake.vendor.writing.restoring import OriginalsReport

_NO_LIMITS = Limits()
_NOTHING: Mapping[str, object] = MappingProxyType({})

PathLike = str | Path
Value = TypeVar("Value")


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


def _open_vault(arguments: Mapping[str, Any]) -> Vault:
    """The same for a worker, which needs no verbs."""
    return open_lake(**arguments)._vault


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
                    hint="Use AWS S3, SeaweedFS ≥ 4.48, Ceph, Azure, Google Cloud Storage, or a folder.",
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


class Lake:
    """A lake, open. Names are `sample`, `sample@2` or `sample@tag`; answers are those of the last `refresh`.

    `sxeslake.open` and `sxeslake.init` make one. In a notebook it shows its samples. It can be pickled: it is opened
    again by its URL, without secrets. Queries take their own parameters and the shared filters, as on the command
    line: `kv=5`, `kv="4.9..5.1"`, `kv=(4.9, None)`, `grating=["JS300N", "JS50*"]`, `since="2018-04"`.

    Attributes
    ----------
    url : str
        Its address, without secrets.
    damage : list of str
        What is wrong with its log, in words.
    plot : Plots
        Pictures of its measurements.

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
        self._catalog: Catalog | None = None
        self._catalog_lock = threading.Lock()
        self._make_progress: MakeProgress | None = None

    @property
    def url(self) -> str:
        """Its address, without secrets.

        Examples
        --------
        >>> lake.url.rpartition("/")[2]
        'lake'
        """
        return self._vault.store.url

    @property
    def damage(self) -> list[str]:
        """What is wrong with the log and `lake.json`, in words; what it does not touch is read all the same.

        Examples
        --------
        >>> lake.damage
        []
        """
        return self._vault.damage_in_words()

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

    def refresh(self) -> int:
        """Fold what others have committed since this lake was opened.

        Returns
        -------
        int
            The number of the newest commit.

        Examples
        --------
        >>> lake.refresh()
        1
        """
        return self._vault.sync().number

    def tell_trouble(self, tell: Callable[[str], None]) -> None:
        """Report, once, if the cache on this machine cannot be used: everything works without, but slower.

        Parameters
        ----------
        tell : callable
            Called with the message.

        Examples
        --------
        >>> lake.tell_trouble(print)
        """
        self._vault.tell_trouble(tell)

    def show_progress(self, make: MakeProgress) -> None:
        """Show that the catalogue is catching up with the log, to those who wait for an answer.

        Interrupted, it goes on from there with the next question.

        Parameters
        ----------
        make : callable
            Makes a `Progress`, or None.

        Examples
        --------
        >>> lake.show_progress(lambda: None)
        """
        self._make_progress = make

    def ingest(
        self,
        paths: PathLike | Iterable[PathLike] = (),
        *,
        plan: PathLike | None = None,
        workers: int | None = None,
        executor: Executor | None = None,
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
        as_: Literal["auto", "vendor", "tree"] = "auto",
        below: PathLike | None = None,
        preset: Literal["fast", "balanced", "small"] = "balanced",
        progress: Progress | None = None,
        watcher: Watcher | None = None,
    ) -> IngestReport:
        """Store archives. One that fails does not stop the others, nor does a folder that cannot be read.

        Parameters
        ----------
        paths : path or iterable of paths
            Files, folders that are searched, and unpacked groups.
        plan : path, optional
            In place of `paths`: a plan that `sxeslake.plan` has made; `tree`, `as_` and `links` are as planned.
        workers : int, optional
            Processes on this machine that ingest at the same time, each on a core of its own (on `jobs` cores); by
            default one, on all cores. Each opens the lake and commits for itself; archives that are likely to share
            content go to one. What a lost process had not finished goes to another.
        executor : concurrent.futures.Executor, optional
            In place of `workers`: a pool of processes or threads, or ``client.get_executor()`` of a Dask cluster.
            Workers find credentials in their own environment. A cluster with another version is refused.
        sample : str, optional
            The sample's name; by default it is made from the path. For one worker.
        jobs : int, optional
            Threads; by default as many as there are cores, of each of several workers one.
        tree : bool
            Store a folder as one archive, whatever it holds.
        as_ : {"auto", "vendor", "tree"}
            A folder without archives that an instrument wrote is converted as it comes in, see `sxeslake.convert`
            (auto); convert whatever is named (vendor); convert nothing and take folders as they are (tree).
        below : path, optional
            A folder in which all `paths` lie: names are made from the paths relative to it, as if it were searched.
        dry_run : bool
            Read and encode everything, store nothing.
        encoding : str, optional
            The encoding of names and JSON that are not UTF-8, such as ``"cp932"``.
        limits : Limits
            What an archive may hold before it is refused as a decompression bomb.
        message : str, optional
            Why, for the log.
        exact : {"auto", "always", "never"}
            Seek how the original file is rebuilt where that is quick, at any cost, or never.
        opaque : {"auto", "always", "never"}
            Keep a file whole that cannot be taken apart: unless it is damaged or no archive, in any case, or never.
        check_data : bool
            Read and hash the packs that are built on; content of missing packs is stored again in any case.
        links : {"follow", "keep", "skip"}
            Read all symbolic links in folders, only those that stay in the searched folders, or none.
        quick : bool
            With `dry_run`: read a sample only, see `estimate` of the report.
        passwords : sequence of str
            Each encrypted 7z or zip is tried with them; the lake then holds its contents unencrypted.
        preset : {"fast", "balanced", "small"}
            How much time compression may take; fast leaves recipes (`exact`) to later, unless ``exact="always"``.
        progress : Progress, optional
            What is told of the bytes that are read.
        watcher : Watcher, optional
            What is told of each archive while the run goes on.

        Returns
        -------
        IngestReport
            What became of each archive; see `failed`.

        Raises
        ------
        UsageError
            If no path is given, `quick` without `dry_run`, or no preset is called that; for what several workers
            cannot do.
        NotFoundError
            If a path does not exist.
        InputError
            If the plan cannot be read.
        DamagedLakeError
            If the lake is damaged, and so cannot be written.
        StorageError
            If storage cannot be written.

        Examples
        --------
        >>> lake.ingest("map.plzip").archives[0].status
        'unchanged'
        """
        from sxeslake.ingest import engine
        from sxeslake.ingest.options import Options

        if quick and not dry_run:
            raise UsageError("only a dry run can be quick.", hint="Give dry_run=True, too.")
        _check_preset(preset)
        options = Options(
            sample, jobs, dry_run, encoding, limits, message, exact, links, opaque, check_data, quick, preset,
            _words(passwords),
        )  # fmt: skip
        form: Literal["auto", "vendor", "tree"] = "tree" if tree else as_
        if plan is not None or executor is not None or workers is not None:
            return self._ingest_by_many(paths, plan, form, options, workers, executor, progress, watcher)
        return engine.ingest(
            self._vault,
            _paths(paths),
            form=form,
            options=options,
            tool=TOOL,
            below=None if below is None else Path(below),
            progress=progress,
            watcher=watcher,
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

        Parameters
        ----------
        paths : path or iterable of paths
            Files, folders that are searched, and unpacked groups.
        by : {"folder", "year", "kind"}
            What a row is.
        tree, jobs, links, passwords, progress, watcher
            As for `ingest`.

        Returns
        -------
        Survey
            A row a group, and the total; sizes in bytes.

        Raises
        ------
        UsageError, NotFoundError
            As `ingest`.

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

        Parameters
        ----------
        patterns : str or sequence of str
            Names and globs of versions.
        everything : bool
            All versions.
        source : path, optional
            Where the file of the one version is; by default where it came from. Its SHA-256 must be the version's.
        any_cost : bool
            Keep what resists as it is, also where the recipe takes more than 5 % of the file.
        jobs : int, optional
            Threads; by default as many as there are cores.
        progress : Progress, optional
            What is told of the bytes that are done.

        Returns
        -------
        Rows of ExactRow
            Each version, whether its file can be rebuilt, and why not.

        Raises
        ------
        SampleNotFoundError
            If no version has such a name.
        UsageError
            If `source` is given for more than one version.

        Examples
        --------
        >>> [row.exact for row in lake.exact("map")]
        [True]
        """
        from sxeslake.ingest.exact_backfill import seek

        versions = refs.find_all(self._vault.state, _names(patterns), everything=everything)
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

        Only of `stored` nothing is lost when the file is deleted: a pull gives it back byte for byte. Deletes nothing.

        Parameters
        ----------
        paths : path or iterable of paths
            Files, folders that are searched, and unpacked groups.
        check_data : bool
            Read and hash the packs that this needs; otherwise the bucket is only asked for them.
        tree, links, passwords, progress
            As for `ingest`.

        Returns
        -------
        Rows of AuditRow
            One a file.

        Raises
        ------
        UsageError
            If no path is given.
        NotFoundError
            If a path does not exist.

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
        """Check a report of `sxeslake audit -o` against the lake as it is now.

        Parameters
        ----------
        report : path
            The report, CSV.
        check_data : bool
            Read and hash the packs that this needs.
        progress : Progress, optional
            What is told of the bytes that are read.

        Returns
        -------
        Rows of ReportRow
            One a line of the report; `holds` says whether it still holds.

        Raises
        ------
        InputError
            If it is no such report.

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

    def ls(self, pattern: str | Sequence[str] = "*", *, all_versions: bool = False) -> Samples:
        """List samples: the newest version of each, or all versions.

        Parameters
        ----------
        pattern : str or sequence of str
            Names and globs.
        all_versions : bool
            List older versions, too.

        Returns
        -------
        Samples
            A list of `SampleRow`; sizes in bytes. Empty where nothing fits.

        Examples
        --------
        >>> [(row.sample, row.version) for row in lake.ls("m*")]
        [('map', 1)]
        """
        return views.samples(self._vault.state, pattern, all_versions=all_versions)

    def names(self, prefix: str = "") -> list[str]:
        """List the names of all samples that begin so.

        Parameters
        ----------
        prefix : str
            Their first characters.

        Returns
        -------
        list of str
            Sorted.

        Examples
        --------
        >>> lake.names("m")
        ['map']
        """
        return sorted(name for name in self._vault.state.samples() if name.startswith(prefix))

    def resolve(self, patterns: str | Sequence[str], *, everything: bool = False) -> list[str]:
        """Resolve names and globs to `name@version`, each once.

        Parameters
        ----------
        patterns : str or sequence of str
            Names and globs.
        everything : bool
            Add the newest version of every sample.

        Returns
        -------
        list of str
            In the order of the patterns.

        Raises
        ------
        SampleNotFoundError
            If one fits nothing, with near misses.

        Examples
        --------
        >>> lake.resolve("m*")
        ['map@1']
        """
        versions = refs.find_all(self._vault.state, _names(patterns), everything=everything)
        return [version.name for version in versions]

    def is_pattern(self, text: str) -> bool:
        """Whether a text stands for the samples that it fits; an existing name never does.

        Parameters
        ----------
        text : str
            A name or glob.

        Returns
        -------
        bool
            True for a glob.

        Examples
        --------
        >>> lake.is_pattern("2019/*"), lake.is_pattern("map")
        (True, False)
        """
        return refs.is_pattern(self._vault.state, text)

    def show(self, ref: str) -> VersionInfo:
        """Tell all that the log knows of a version.

        Parameters
        ----------
        ref : str
            The version: ``"map"``, ``"map@2"`` or ``"map@paper"``.

        Returns
        -------
        VersionInfo
            Source, paths, sizes in bytes, tags, annotations.

        Raises
        ------
        SampleNotFoundError
            If there is no such version.

        Examples
        --------
        >>> info = lake.show("map")
        >>> info.sample, info.version, info.container
        ('map', 1, 'zip')
        """
        return views.version_info(self._vault.state, self._version(ref))

    def members(self, ref: str) -> Iterator[MemberRow]:
        """List the members of a version, in archive order.

        Parameters
        ----------
        ref : str
            The version.

        Returns
        -------
        iterator of MemberRow
            Path, size in bytes, time, hash.

        Raises
        ------
        SampleNotFoundError
            If there is no such version.

        Examples
        --------
        >>> "metadata.json" in [row.path for row in lake.members("map")]
        True
        """
        version = self._version(ref)
        return map(views.member_row, remembered.noting_members(self._vault.folder, version, self._vault.rows(version)))

    def stats(self) -> Stats:
        """Tell the lake in figures.

        Returns
        -------
        Stats
            Counts, and sizes in bytes.

        Examples
        --------
        >>> lake.stats().samples
        1
        """
        from sxeslake.maintenance.stats import stats

        return stats(self._vault)

    def log(self, pattern: str | Sequence[str] | None = None, *, limit: int | None = None) -> Iterator[LogRow]:
        """List the commits, the newest first.

        Parameters
        ----------
        pattern : str or sequence of str, optional
            Names, ``NAME@V`` or globs: only commits of versions that fit.
        limit : int, optional
            At most so many.

        Returns
        -------
        iterator of LogRow
            Number, time (UTC), person, what was done.

        Examples
        --------
        >>> [row.what for row in lake.log(limit=1)]
        [['added']]
        """
        from sxeslake.maintenance import history

        self._vault.sync()
        return history.history(self._vault.state, () if pattern is None else _names(pattern), limit)

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
        """Answer a question of the library, or of a folder of one's own.

        Parameters
        ----------
        name : str
            The question, such as ``"maps-by-beam-condition"``.
        words : mapping, optional
            Its parameters and the shared filters.
        limit : int, optional
            At most so many rows.
        queries : sequence of paths
            Folders with questions of one's own. Their SQL runs like `sql`: it reads the catalogue and nothing else.
        limits : SandboxLimits, optional
            Of time and memory, for SQL of such a folder.
        stream : bool
            Read the rows as they are asked for, once, while the lake is open; otherwise the result has them all.
        **more
            As `words`, as keywords: ``kv=5``.

        Returns
        -------
        Result
            The rows.

        Raises
        ------
        NotFoundError
            For an unknown question.
        UsageError
            For an unknown or unreadable parameter, with near misses.

        Examples
        --------
        >>> lake.query("maps-by-beam-condition", kv=5).rows()[0]["sample"]
        'map'
        """
        folders = [Path(folder) for folder in queries]
        result = self._asked().query(name, {**words, **more}, folders=folders, limit=limit, limits=limits)
        return result if stream else result.kept()

    @with_filters
    def maps(self, **filters: Unpack[FilterWords]) -> Result:
        """Maps whose positions all fit; one row a map, newest first.

        Examples
        --------
        >>> import sxeslake
        >>> with sxeslake.open("lake") as lake:
        ...     [row["positions"] for row in lake.maps(kv=5, current_na="90..110")]
        [12]
        """
        return self.query("maps-by-beam-condition", filters)

    @with_filters
    def positions(self, **filters: Unpack[FilterWords]) -> Result:
        """Positions that fit; one row a position.

        Examples
        --------
        >>> import sxeslake
        >>> with sxeslake.open("lake") as lake:
        ...     len(lake.positions(kv=(4, 6), grating="JS*"))
        12
        """
        return self.query("positions-by-condition", filters)

    @with_filters
    def find(self, text: str, /, **filters: Unpack[FilterWords]) -> Result:
        """Names, comments, operators, projects, paths, annotations and documents that hold all words of `text`.

        Examples
        --------
        >>> import sxeslake
        >>> with sxeslake.open("lake") as lake:
        ...     len(lake.find("map", kv=5)) > 0
        True
        """
        return self.query("find-text", {**filters, "text": text})

    @with_filters
    def conditions(self, **filters: Unpack[FilterWords]) -> Result:
        """Each condition's values, and how many positions, archives and samples have them.

        Examples
        --------
        >>> import sxeslake
        >>> with sxeslake.open("lake") as lake:
        ...     "JS300N" in [row["value"] for row in lake.conditions(kv=5)]
        True
        """
        return self.query("condition-values", filters)

    def sql(
        self, text: str, /, *, limits: SandboxLimits | None = None, stream: bool = False, **parameters: object
    ) -> Result:
        """Answer one SELECT over the catalogue's tables, in a child process that reads nothing else.

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

        Raises
        ------
        UsageError
            If the SQL is wrong, or does anything but read.
        LimitExceededError
            If it takes more than the limits allow.

        Examples
        --------
        >>> lake.sql("SELECT count(*) AS n FROM positions WHERE grating = $g", g="JS300N").rows()
        [{'n': 12}]
        """
        result = self._asked().sql(text, parameters, limits=limits)
        return result if stream else result.kept()

    def measurement(self, ref: str) -> Rows[MeasuredAnalysis]:
        """Describe the analyses of a version.

        Parameters
        ----------
        ref : str
            The version.

        Returns
        -------
        Rows of MeasuredAnalysis
            Kind, positions, beam (kV, nA), detector, time, people; none if it is no measurement.

        Raises
        ------
        SampleNotFoundError
            If there is no such version.

        Examples
        --------
        >>> [(row.kind, row.positions) for row in lake.measurement("map")]
        [('map', 12)]
        """
        from sxeslake.catalog.measurement import analyses_of

        version = self._version(ref)
        return Rows(analyses_of(self._asked().database().table, version.sample, version.version))

    def conditions_of_samples(self) -> dict[tuple[str, int], Conditions]:
        """Tell the conditions under which each version was measured.

        Returns
        -------
        dict
            By sample and version: the voltages (kV), currents (nA) and gratings in it, and when it was begun.

        Examples
        --------
        >>> lake.conditions_of_samples()["map", 1].accelerating_voltages_kv
        (5.0,)
        """
        from sxeslake.catalog.measurement import all_conditions

        return all_conditions(self._asked().database().table)

    def queries(self, folders: Sequence[str | Path] = ()) -> Rows[Query]:
        """List the questions that can be asked by name.

        Parameters
        ----------
        folders : sequence of paths
            Folders with questions of one's own.

        Returns
        -------
        Rows of Query
            Name, title, help, parameters.

        Raises
        ------
        NotFoundError
            If a folder does not exist.
        InputError
            If a file in it is no query.

        Examples
        --------
        >>> "maps-by-beam-condition" in [query.name for query in lake.queries()]
        True
        """
        from sxeslake.catalog.query import library

        return Rows(library.load([Path(folder) for folder in folders]))

    def schema(self, table: str | None = None) -> list[Table]:
        """Describe the catalogue's tables, or one of them.

        Parameters
        ----------
        table : str, optional
            The table's name.

        Returns
        -------
        list of Table
            Columns with type, unit, source field and conversion.

        Raises
        ------
        NotFoundError
            If there is no such table.

        Examples
        --------
        >>> lake.schema("positions")[0].column("probe_current_na").unit
        'nA'
        """
        from sxeslake.catalog.schema.tables import tables_called

        return tables_called(table)

    def read(self, ref: str, member: str) -> bytes:
        """Read one member of a version, proved by its hash.

        Parameters
        ----------
        ref : str
            The version.
        member : str
            Its path in the archive.

        Returns
        -------
        bytes
            The whole member.

        Raises
        ------
        MemberNotFoundError
            If the version has no such member.
        DamagedLakeError
            If the lake has lost it.

        Examples
        --------
        >>> lake.read("map", "metadata.json")[:1]
        b'{'
        """
        return b"".join(self.stream(ref, member))

    def stream(self, ref: str, member: str) -> Iterator[bytes]:
        """Read one member of a version in parts of a few MiB at most.

        Parameters
        ----------
        ref : str
            The version.
        member : str
            Its path in the archive.

        Returns
        -------
        iterator of bytes
            The parts, in order.

        Raises
        ------
        MemberNotFoundError
            If the version has no such member.
        DamagedLakeError
            If the lake has lost it.

        Examples
        --------
        >>> sum(len(block) for block in lake.stream("map", "metadata.json")) > 0
        True
        """
        return self._source(ref).stream(member)

    def read_many(self, ref: str, members: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Read several members of a version, found and fetched together.

        Parameters
        ----------
        ref : str
            The version.
        members : iterable of str
            Their paths.

        Returns
        -------
        iterator of (str, bytes)
            Path and content, in the order of `members`.

        Raises
        ------
        MemberNotFoundError
            If one is not there, before anything is fetched.

        Examples
        --------
        >>> [path for path, data in lake.read_many("map", ["metadata.json"])]
        ['metadata.json']
        """
        return self.files(ref).read_many(members)

    def files(self, ref: str) -> VersionFiles:
        """Open a version as files, to list and to read in parts.

        Parameters
        ----------
        ref : str
            The version.

        Returns
        -------
        VersionFiles
            Safe for many threads.

        Raises
        ------
        SampleNotFoundError
            If there is no such version.

        Examples
        --------
        >>> lake.files("map").read("metadata.json", 0, 1)
        b'{'
        """
        return self._files.of(self._version(ref))

    def locate(self, path: str) -> Located | None:
        """Find the version and member that a path means, `2019/map@2/data/5/qlw.data`.

        Parameters
        ----------
        path : str
            A version and a path in it; ``"map@2.plzip"`` is the whole version as a zip. Sample names can have slashes:
            the longest that fits counts.

        Returns
        -------
        Located or None
            None where no name fits.

        Examples
        --------
        >>> lake.locate("map/metadata.json").member
        'metadata.json'
        """
        from sxeslake.pull.access import Located, locate

        found = locate(self._vault.state, path)
        return None if found is None else Located(self._files.of(found[0]), found[1])

    def open_group(self, ref: str) -> Group:
        """Open a version as an sxes group: positions and spectra are read straight from the bucket.

        Parameters
        ----------
        ref : str
            The version.

        Returns
        -------
        Group
            With the calibrations of this lake. ``lake["map"]`` is the same.

        Raises
        ------
        SampleNotFoundError
            If there is no such version.
        InputError
            If it is no group.

        Examples
        --------
        >>> len(lake.open_group("map").positions)
        12
        """
        from sxeslake.archive.sxes.group import open_group

        group = open_group(self._source(ref))
        group.calibrations = self._measurements.calibrations
        return group

    def __getitem__(self, ref: str) -> Group:
        return self.open_group(ref)

    @property
    def plot(self) -> Plots:
        """Pictures of measurements: `lake.plot.spectrum(…)`, `.map(…)`, `.stage(…)`, `.ccd(…)`, `.compare(…)`.

        Examples
        --------
        >>> figure = lake.plot.stage("map")
        >>> figure.savefig("stage.png")
        """
        from sxeslake.plotting import Plots

        return Plots(self)

    def measured(
        self,
        ref: str | None = None,
        *,
        analysis: str | int | None = None,
        positions: str | int | None = None,
        where: str | None = None,
        **filters: Unpack[FilterWords],
    ) -> Iterator[Measured]:
        """The positions that fit, with conditions and places, without their spectra.

        Parameters
        ----------
        ref, analysis, positions, where, **filters
            As for `spectra`.

        Returns
        -------
        iterator of Measured
            By sample, version, analysis and number.

        Raises
        ------
        NotFoundError
            If there is no such version or analysis.

        Examples
        --------
        >>> [row.number for row in lake.measured("map", positions="1..3")]
        [1, 2, 3]
        """
        return self._measurements.rows(ref, analysis, positions, where, filters)

    def spectra(
        self,
        data_type: str = "qlw",
        ref: str | None = None,
        *,
        analysis: str | int | None = None,
        positions: str | int | None = None,
        where: str | None = None,
        background: bool = False,
        **filters: Unpack[FilterWords],
    ) -> Spectra:
        """The spectra of many positions as one array, read in batches.

        Parameters
        ----------
        data_type : str
            ``"qlw"`` (float64), ``"spectrum"`` (column sum of `xes`, int64), or another type of float64.
        ref : str, optional
            One version, such as ``"ti-map@2"``; all versions otherwise.
        analysis : str or int, optional
            Only this analysis: its name, UUID, or number in its archive from 1.
        positions : str or int, optional
            Only these numbers within the analysis, such as ``"1,4..9"``.
        where : str, optional
            A condition in SQL over the catalogue's table ``positions``.
        background : bool
            For ``"spectrum"``: subtract `accumulation` × the stored dark frame.
        **filters
            The shared filters, such as ``kv=5`` (kV), ``current_na="90..110"`` (nA), ``grating="JS300N"``; see `maps`.

        Returns
        -------
        Spectra
            `values` has the shape (positions, channels), `rows` tells what each row is, `warnings` what was left out.

        Raises
        ------
        NotFoundError
            If no position fits, or none can be read.
        UsageError
            If a filter cannot be read.

        Examples
        --------
        >>> found = lake.spectra("qlw", kv=5)
        >>> found.values.shape
        (12, 4095)
        """
        rows = self.measured(ref, analysis=analysis, positions=positions, where=where, **filters)
        return self._measurements.spectra(rows, data_type, background=background)

    def roi(
        self,
        low: float,
        high: float,
        ref: str | None = None,
        *,
        unit: str = "eV",
        background: tuple[float, float] | None = None,
        data_type: str = "qlw",
        subtract_background: bool = False,
        analysis: str | int | None = None,
        positions: str | int | None = None,
        where: str | None = None,
        **filters: Unpack[FilterWords],
    ) -> Roi:
        """Integrate a region of interest of every position that fits, in bounded memory.

        Parameters
        ----------
        low, high : float
            Both ends of the region, in `unit`.
        ref : str, optional
            One version, such as ``"ti-map@2"``; all versions otherwise.
        unit : {"eV", "Å", "channel"}
            Unit of `low`, `high` and `background`.
        background : tuple of float, optional
            A window beside the region; its mean counts a channel times the region's channels are subtracted.
        data_type : str
            ``"qlw"`` or ``"spectrum"``.
        subtract_background : bool
            For ``"spectrum"``: subtract `accumulation` × the stored dark frame first.
        analysis, positions, where, **filters
            As for `spectra`.

        Returns
        -------
        Roi
            `values` is float64 (positions,); ``.map()`` makes an image where the positions lie on a lattice.

        Raises
        ------
        NotFoundError
            If no position fits, or none can be read.
        UsageError
            If no axis is known, or the region holds no channel.

        Examples
        --------
        >>> lake.roi(390, 400, "map", unit="channel").values.shape
        (12,)
        """
        rows = self.measured(ref, analysis=analysis, positions=positions, where=where, **filters)
        return self._measurements.roi(
            rows, low, high, unit, background, data_type, subtract_background=subtract_background
        )

    def map_positions(
        self,
        fn: Callable[[Position], Value],
        where: str | None = None,
        *,
        ref: str | None = None,
        analysis: str | int | None = None,
        positions: str | int | None = None,
        executor: Executor | None = None,
        **filters: Unpack[FilterWords],
    ) -> dict[tuple[str, str], Value]:
        """Compute something of every position that fits, such as a region of interest, on any number of machines.

        A worker gets up to 256 positions of one archive at a time, and reads them in the order of storage.

        Parameters
        ----------
        fn : callable
            Is given a `Position`, and returns a value. For processes both must be picklable: a function at the top of a
            module, or a `functools.partial` of one; Dask takes any function.
        where : str, optional
            A condition in SQL on columns of the table `positions`.
        ref, analysis, positions, **filters
            As for `spectra`.
        executor : concurrent.futures.Executor, optional
            A pool of processes or threads, or ``client.get_executor()`` of a Dask cluster; by default the caller's
            thread.

        Returns
        -------
        dict
            The values by archive and UUID of the position, ``("ti-grains@2", "5b0c…")``, in the order of `measured`.

        Raises
        ------
        NotFoundError
            If no position fits.
        UsageError
            If `fn` cannot be sent, or a cluster has another version.
        SxeslakeError
            If a worker is lost. What `fn` raises ends the call; a note names the position.

        Examples
        --------
        >>> def counts(position):
        ...     return int(position.qlw.sum())
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> with ThreadPoolExecutor(2) as executor:
        ...     found = lake.map_positions(counts, "accelerating_voltage_kv = 5", ref="map", executor=executor)
        >>> len(found), {archive for archive, uuid in found}
        (12, {'map@1'})
        """
        from sxeslake.clusters.positions import map_positions

        rows = self.measured(ref, analysis=analysis, positions=positions, where=where, **filters)
        return map_positions(fn, rows, self._vault, None if executor is None else self._opener(), executor)

    def to_xarray(
        self,
        ref: str | None = None,
        *,
        types: Sequence[str] | None = None,
        lattice: bool = True,
        analysis: str | int | None = None,
        positions: str | int | None = None,
        where: str | None = None,
        **filters: Unpack[FilterWords],
    ) -> xr.Dataset:
        """The spectra of all positions that fit, as a labelled Dataset that is read only when it is used.

        Parameters
        ----------
        types : sequence of str, optional
            Data variables; by default ``"qlw"`` and ``"spectrum"``, as far as there are any.
        lattice : bool
            Arrange the positions as (y, x) where they are one map.
        ref, analysis, positions, where, **filters
            As for `spectra`.

        Returns
        -------
        xarray.Dataset
            As `Analysis.to_xarray` makes it; the coordinate `archive` tells where a position comes from.

        Raises
        ------
        MissingExtraError
            If xarray is not installed.
        NotFoundError
            If no position fits.

        Examples
        --------
        >>> lake.to_xarray(kv=5, grating="JS300N").qlw.dims
        ('y', 'x', 'channel')
        """
        rows = self.measured(ref, analysis=analysis, positions=positions, where=where, **filters)
        return self._measurements.dataset(rows, ref or self.url, types, lattice=lattice)

    def hyperspy(
        self,
        ref: str,
        *,
        analysis: str | int | None = None,
        data_type: str = "qlw",
        lazy: bool = False,
    ) -> Any:
        """The spectra of a version as HyperSpy signals.

        Parameters
        ----------
        ref : str
            The version, such as ``"ti-map@2"``.
        analysis : str or int, optional
            Only this analysis: its name, UUID, or number from 1.
        data_type : str
            ``"qlw"`` or ``"spectrum"``.
        lazy : bool
            Read spectra when they are used.

        Returns
        -------
        hyperspy.signals.Signal1D or list of them
            One signal an analysis; the signal alone where there is one.

        Raises
        ------
        MissingExtraError
            If HyperSpy is not installed.
        NotFoundError
            If there is no such version, analysis or data.

        Examples
        --------
        >>> lake.hyperspy("ti-map@2", analysis=1, lazy=True)  # doctest: +SKIP
        <LazySignal1D, title: ti-map@2, dimensions: (50, 50|4095)>
        """
        from sxeslake.science import hyperspy_signals

        return hyperspy_signals(self.open_group(ref), analysis, data_type, lazy=lazy)

    def compare(
        self,
        target: str,
        *others: str,
        standards: bool = False,
        data_type: str = "qlw",
        normalise: Normalisation = "max",
    ) -> Comparison:
        """Lay spectra over one another, the most alike first; find standards taken under the same conditions.

        Parameters
        ----------
        target : str
            A position, ``"ti-grains@2:5"``: version and number of the position through all its analyses, or UUID.
        *others : str
            Positions to compare it with.
        standards : bool
            Compare it also with every position annotated ``role=standard`` (itself, its analysis, version or sample)
            that has the same grating, spectrometer and, within 0.05 kV, accelerating voltage.
        data_type : str
            ``"qlw"`` or ``"spectrum"``.
        normalise : {"max", "current", "none"}
            Divide the spectra by their maximum, by their probe current (counts / nA), or not at all.

        Returns
        -------
        Comparison
            `others` by similarity (Pearson's correlation), the highest first; `values` has the normalised spectra,
            float64 (1 + others, channels); ``.table()`` has a dictionary for each.

        Raises
        ------
        NotFoundError
            If there is no such position, or nothing to compare it with.
        InputError
            If the spectra have different axes or numbers of channels.

        Examples
        --------
        >>> found = lake.compare("map:5", "map:3", normalise="current")
        >>> [(other.row.name, other.material) for other in found.others]
        [('map@1:3', None)]
        """
        return self._measurements.compare([target, *others], data_type, normalise, standards=standards)

    def pull(
        self,
        ref: str,
        out: str | Path | None = None,
        *,
        container: ContainerKind | None = None,
        level: int | None = None,
        force: bool = False,
        skip_damaged: bool = False,
        exact: bool | None = None,
        jobs: int | None = None,
        password: str | None = None,
        progress: Progress | None = None,
    ) -> PullReport:
        """Write a version as `.plzip`, `.pl7z`, `.zip`, `.7z` or a folder; whole, or not at all.

        It is the original file where container and level allow, see `exact` of the report. The version's annotations
        come beside it, in `OUT.annotations.json`.

        Parameters
        ----------
        ref : str
            The version.
        out : path, optional
            A file, or a folder where it ends in ``/``. By default the source's own name in the current folder, the
            sample's for a folder.
        container : {"zip", "7z", "folder"}, optional
            By default as the name of `out` says, else the source's own.
        level : int, optional
            Of the compression; a level makes a new container.
        force : bool
            Replace a file, or the folder of an earlier pull.
        skip_damaged : bool
            Leave out what the lake has lost, and list it in `damaged` of the report.
        exact : bool, optional
            True requires the original file; False makes a new container, which is quicker.
        jobs : int, optional
            Threads; by default as many as there are cores.
        password : str, optional
            Encrypt a 7z, names too, or the contents of a zip; annotations are not encrypted.
        progress : Progress, optional
            What is told of the bytes that are fetched.

        Returns
        -------
        PullReport
            Path, sizes in bytes, SHA-256, and whether it is the original file.

        Raises
        ------
        SampleNotFoundError
            If there is no such version.
        NotFoundError
            If `exact` is True and the original file cannot be rebuilt, with the reason.
        UsageError
            If a folder should be encrypted, or the name's suffix cannot be written.
        AlreadyExistsError
            If something is there already, without `force`.
        DamagedLakeError
            If the lake has lost a member: no wrong byte is written.

        Examples
        --------
        >>> report = lake.pull("map", "again.plzip")
        >>> report.exact
        True
        """
        from sxeslake.pull.run import pull
        from sxeslake.pull.whole import Pull

        how = Pull(level, force, jobs, progress, skip_damaged, exact=exact, password=password)
        return pull(self._vault, self._version(ref), out, container, how)

    def pull_to(
        self,
        ref: str,
        stream: BinaryIO,
        *,
        container: ContainerKind | None = None,
        level: int | None = None,
        skip_damaged: bool = False,
        exact: bool | None = None,
        jobs: int | None = None,
        password: str | None = None,
        progress: Progress | None = None,
    ) -> PullReport:
        """Write a version to a stream, such as standard output.

        Parameters
        ----------
        ref : str
            The version.
        stream : binary file
            Where it is written; it need not seek.
        container : {"zip", "7z"}, optional
            By default the source's own.
        level, skip_damaged, exact, jobs, password, progress
            As for `pull`.

        Returns
        -------
        PullReport
            Sizes in bytes, SHA-256, and whether it is the original file.

        Raises
        ------
        UsageError
            If a folder should go into a stream.
        NotFoundError, DamagedLakeError
            As `pull`.

        Examples
        --------
        >>> import io
        >>> lake.pull_to("map", io.BytesIO(), container="7z").container
        '7z'
        """
        from sxeslake.pull.whole import Pull, container_of

        version = self._version(ref)
        how = Pull(level, False, jobs, progress, skip_damaged, exact=exact, password=password)
        return how.to_stream(self._vault, version, stream, container or container_of(version, None))

    def originals(
        self, ref: str, out: str | Path, *, limits: Limits | None = None, progress: Progress | None = None
    ) -> OriginalsReport:
        """Give back the vendor's files of a version that was converted, each with the SHA-256 that it had.

        Parameters
        ----------
        ref : str
            The version, such as ``"session 12"``.
        out : path
            A new folder, or an empty one: the vendor's own where there was one, else it holds a folder each.
        limits : Limits, optional
            What the files may hold before they are refused as a decompression bomb.
        progress : Progress, optional
            What is told of the bytes that are read.

        Returns
        -------
        OriginalsReport
            Which files came back.

        Raises
        ------
        NotFoundError
            If the version has no originals.
        AlreadyExistsError
            If something is in the folder.
        DamagedLakeError
            If a file would not have the SHA-256 that it had.

        Examples
        --------
        >>> lake.ingest("session 12").archives[0].status
        'added'
        >>> lake.originals("session 12", "session 12 again").vendor_files
        19
        """
        from sxeslake.disk.output import named
        from sxeslake.pull.originals import restore_version

        version = refs.find(self._vault.state, ref)
        return restore_version(self._vault, version, named(out), limits or Limits(), progress)

    def file_name(self, ref: str, container: ContainerKind | None = None) -> str:
        """The name that a pulled archive gets by default.

        Parameters
        ----------
        ref : str
            The version.
        container : {"zip", "7z", "folder"}, optional
            By default the source's own.

        Returns
        -------
        str
            The source's own name, with the container's suffix.

        Raises
        ------
        SampleNotFoundError
            If there is no such version.

        Examples
        --------
        >>> lake.file_name("map", "7z")
        'map.pl7z'
        """
        from sxeslake.pull.whole import container_of, file_name

        version = self._version(ref)
        return file_name(version, container or container_of(version, None))

    def why_not_exact(
        self,
        ref: str,
        out: str | Path | None = None,
        *,
        container: ContainerKind | None = None,
        level: int | None = None,
        exact: bool | None = None,
        password: str | None = None,
    ) -> str | None:
        """Tell why a `pull` with these words would not give the original file.

        Parameters
        ----------
        ref, out, container, level, exact, password
            As for `pull`.

        Returns
        -------
        str or None
            The reason; None where it would.

        Raises
        ------
        NotFoundError
            If `exact` is True, with the reason.

        Examples
        --------
        >>> lake.why_not_exact("map", container="7z")
        'the source is a zip, and a 7z was requested'
        """
        from sxeslake.pull.part.run import PartTarget
        from sxeslake.pull.run import why_not_exact

        target = PartTarget(None if out is None else str(out), container, level, password=password)
        return why_not_exact(self._version(ref), target, exact=exact)

    def pull_share(
        self,
        out: str | Path,
        *,
        all_versions: bool = False,
        level: int | None = None,
        force: bool = False,
        skip_damaged: bool = False,
        exact: bool | None = None,
        jobs: int | None = None,
        told: Callable[[Restored], None] | None = None,
        progress: Progress | None = None,
    ) -> ShareReport:
        """Restore the newest state of every path that was ingested below a folder, each with its time.

        The longest folder that all paths have in common is left out; paths of several hosts stand below a folder for
        each. A path that fails does not stop the others. Run again after an interruption, it keeps the files that are
        there.

        Parameters
        ----------
        out : path
            The folder.
        all_versions : bool
            Restore earlier states beside the newest, ``map@1.plzip``.
        level, force, skip_damaged, exact, jobs, progress
            As for `pull`.
        told : callable, optional
            Called with each path as it is done.

        Returns
        -------
        ShareReport
            `failed` are paths that are not back, `left_out` versions that are the newest state of no path.

        Examples
        --------
        >>> len(lake.pull_share("restored").restored)
        1
        """
        from sxeslake.pull.share import pull_share
        from sxeslake.pull.whole import Pull

        how = Pull(level, force, jobs, progress, skip_damaged, exact=exact)
        return pull_share(self._vault, Path(out), how, all_versions=all_versions, told=told)

    def sync(
        self,
        ref: str,
        folder: str | Path,
        *,
        delete: bool = False,
        dry_run: bool = False,
        progress: Progress | None = None,
    ) -> SyncReport:
        """Bring an unpacked folder up to date with a version by moving only what differs.

        Files are compared by content; those that nobody touched since are not even read. Each is replaced in one step.

        Parameters
        ----------
        ref : str
            The version.
        folder : path
            The folder; it is made where it does not exist.
        delete : bool
            Remove what does not belong.
        dry_run : bool
            Only tell what would be done.
        progress : Progress, optional
            What is told of the bytes that are fetched.

        Returns
        -------
        SyncReport
            Counts of files and folders; sizes in bytes.

        Raises
        ------
        AlreadyExistsError
            If a folder stands where a file belongs.
        InputError
            If `delete` is asked for in a folder that holds no file of the version.

        Examples
        --------
        >>> report = lake.sync("map", "unpacked")
        >>> lake.sync("map", "unpacked").unchanged == report.members
        True
        """
        from sxeslake.pull.folder.sync import Sync

        return Sync(delete, dry_run, progress).run(self._vault, self._version(ref), folder)

    def pull_part(
        self,
        samples: str | Sequence[str] = (),
        out: str | Path | None = None,
        *,
        part: PartSpec | None = None,
        budget: Budget | None = None,
        positions: Sequence[str | int] | None = None,
        analyses: Sequence[str] | None = None,
        types: Sequence[str] | None = None,
        members: Sequence[str] | None = None,
        where: str | None = None,
        query: str | None = None,
        sql: str | None = None,
        queries: Sequence[str | Path] = (),
        merge: bool = False,
        container: ContainerKind | None = None,
        level: int | None = None,
        force: bool = False,
        jobs: int | None = None,
        dry_run: bool = False,
        max_positions: int | None = None,
        max_bytes: int | None = None,
        stream: BinaryIO | None = None,
        password: str | None = None,
        planned: Callable[[SelectionReport], None] | None = None,
        progress: Progress | None = None,
        **filters: Unpack[FilterWords],
    ) -> SelectionReport:
        """Write a part of one archive, or one group made of parts of many, as an archive of its own.

        Of one sample: positions, analyses and data types, with all that they need, and members. Of several, or all:
        one group, equal measurements once, where each came from under `provenance` in its metadata. Annotations come
        beside it, in `OUT.annotations.json`, which is never encrypted.

        Parameters
        ----------
        samples : str or sequence of str
            Names and globs of versions; none for all.
        out : path, optional
            As for `pull`; a merged group needs one.
        part : PartSpec, optional
            Which part, in place of the next four.
        budget : Budget, optional
            How large it may be, in place of `max_positions` and `max_bytes`.
        positions : sequence of str or int, optional
            UUIDs, numbers from 1 or ranges, ``"3..9"``; of the analyses that are chosen. An empty list is refused.
        analyses : sequence of str, optional
            Names, globs or UUIDs.
        types : sequence of str, optional
            Data types, ``"qlw"``; ``"images"`` for the pictures of analyses.
        members : sequence of str, optional
            Globs of member paths.
        where : str, optional
            A condition in SQL over the catalogue's table ``positions``.
        query, sql : str, optional
            A question, or a SELECT, whose rows choose the positions.
        queries : sequence of paths
            Folders with questions of one's own.
        merge : bool
            Make one group of whole archives, too.
        container, level, force, jobs, password, progress
            As for `pull`.
        dry_run : bool
            Only plan it.
        max_positions : int, optional
            Fail above so many positions; by default 1,000,000.
        max_bytes : int, optional
            Fail above so many bytes, unpacked; by default 256 GiB.
        stream : binary file, optional
            Write to it instead of `out`.
        planned : callable, optional
            Called with the plan before anything moves.
        **filters
            The shared filters choose positions by the catalogue, such as ``kv=5``; see `maps`.

        Returns
        -------
        SelectionReport
            Positions, sizes in bytes, what it costs to fetch.

        Raises
        ------
        NotFoundError
            If nothing is left, naming the condition that leaves nothing.
        LimitExceededError
            If it would be larger than allowed, before anything moves.
        UsageError
            If no part is named, or the words do not go together.
        AlreadyExistsError
            If something is there already, without `force`.

        Examples
        --------
        >>> lake.pull_part("map", "part.plzip", positions=["1", "3..5"], types=["qlw"]).positions
        4
        >>> part = sxeslake.PartSpec(positions=("1", "3..5"), types=("qlw",))
        >>> lake.pull_part("map", part=part, budget=sxeslake.Budget(positions=10), dry_run=True).positions
        4
        >>> lake.pull_part(out="maps.plzip", kv=5, grating="JS300N").samples
        ['map@1']
        """
        from sxeslake.pull.part.request import pull_part
        from sxeslake.pull.part.run import PartTarget
        from sxeslake.pull.part.selection import Budget
        from sxeslake.pull.part.wanted import PartSpec

        part = PartSpec.of(positions, analyses, types, members, part=part)
        budget = Budget.of(max_positions, max_bytes, budget=budget)
        output = PartTarget(None if out is None else str(out), container, level, force, jobs, stream, password)
        choice = self._choice(where, query, sql, filters, queries)
        return pull_part(
            self._vault, _names(samples), part, output, budget, choice=choice, merge=merge, dry_run=dry_run,
            planned=planned, tool=TOOL, progress=progress,
        )  # fmt: skip

    def diff(self, a: str, b: str) -> Difference:
        """Tell what differs from one version to another: members, positions, JSON fields.

        Parameters
        ----------
        a, b : str
            The versions, ``"ti-grains@1"`` and ``"ti-grains"``.

        Returns
        -------
        Difference
            Positions are compared by content, whatever their UUID.

        Raises
        ------
        SampleNotFoundError
            If there is no such version.

        Examples
        --------
        >>> lake.diff("map", "map@1").equal
        True
        """
        from sxeslake.pull.diff import diff

        return diff(self._vault, self._version(a), self._version(b))

    def export(
        self,
        ref: str | Sequence[str] | None,
        out: str | Path,
        *,
        to: Format,
        analysis: str | int | None = None,
        positions: str | int | None = None,
        where: str | None = None,
        data_type: str = "qlw",
        roi: tuple[float, float, str] | None = None,
        raw: bool = False,
        force: bool = False,
        license_url: str | None = None,
        authors: Sequence[str] = (),
        progress: Progress | None = None,
        **filters: Unpack[FilterWords],
    ) -> ExportReport:
        """Write spectra in the format of another program; whole, or not at all.

        Parameters
        ----------
        ref : str, sequence of str or None
            Versions, such as ``"ti-map@2"``; None for all.
        out : path
            A file; one of both for ``"hmsa"``, ``map.hmsa`` or ``map.xml``; a folder for ``"zarr"``, several
            ``"msa"``, and ``"ro-crate"`` unless it ends in .eln or .zip.
        to : {"csv", "xlsx", "msa", "hmsa", "zarr", "hspy", "ro-crate"}
            The format. ``"ro-crate"`` holds whole archives, or CSV and MSA files of a selection.
        analysis, positions, where, **filters
            As for `spectra`.
        data_type : str
            ``"qlw"`` or ``"spectrum"`` (column sum of the camera image).
        roi : (float, float, str), optional
            For ``"csv"`` and ``"xlsx"``: counts between two ends in ``"eV"``, ``"Å"`` or ``"channel"``, a row a
            position.
        raw : bool
            Leave text as it is that a spreadsheet takes for a formula.
        force : bool
            Replace a file, or the folder of an earlier export.
        license_url : str, optional
            For ``"ro-crate"``: the URL of the licence.
        authors : sequence of str
            For ``"ro-crate"``: ``"NAME"`` or ``"NAME;ORCID"``.
        progress : Progress, optional
            What is told of the bytes that are read.

        Returns
        -------
        ExportReport
            Path, files with SHA-256, the axis' source, and warnings.

        Raises
        ------
        UsageError
            If the format is unknown, or does not go with the other words.
        MissingExtraError
            If the format needs a package that is not installed.
        NotFoundError
            If no position fits.
        AlreadyExistsError
            If something is there already, without `force`.

        Examples
        --------
        >>> lake.export("map", "map.csv", to="csv", positions="1..5").positions
        5
        """
        from sxeslake.exports.run import Export, Selected

        def pull_into(name: str, folder: Path) -> PullReport:
            return self.pull(name, folder / plain_name(self.file_name(name)), progress=progress)

        selected = Selected(ref, analysis, positions, where, filters)
        job = Export(self._measurements, selected, named(out), to, data_type, pull_into, raw, force, progress)
        return job.run(roi, license_url, authors, ends=str(out).endswith(("/", "\\")))

    def annotate(
        self,
        ref: str,
        values: Mapping[str, object] = _NOTHING,
        /,
        *,
        analysis: str | None = None,
        position: str | None = None,
        message: str | None = None,
        **more: object,
    ) -> Annotated:
        """Annotate a sample, a version, an analysis or a position with `key=value`; the archive is not touched.

        Parameters
        ----------
        ref : str
            A sample, or a version, ``"name@2"``.
        values : mapping, optional
            Key and value; None or ``""`` removes a key.
        analysis, position : str, optional
            UUID, or its unique start, of what is annotated.
        message : str, optional
            Why, for the log.
        **more
            As `values`, as keywords: ``role="standard"``.

        Returns
        -------
        Annotated
            The commit, None where nothing is new, and notes on keys that may be typing errors.

        Raises
        ------
        NotFoundError
            If there is no such place.
        UsageError
            If a key or value cannot be kept.

        Examples
        --------
        >>> lake.annotate("map", role="standard").commit
        2
        >>> lake.show("map").annotations[0].value
        'standard'
        """
        from sxeslake.catalog.remarks import Remark, checked

        remark = Remark(ref, checked({**values, **more}), analysis, position)
        return self._asked().annotate([remark], tool=TOOL, message=message)

    def annotate_csv(self, path: str | Path, *, message: str | None = None) -> Annotated:
        """Annotate by a table, in one commit.

        Parameters
        ----------
        path : path
            CSV in UTF-8 with the columns `sample`, perhaps `analysis` and `position`, then a column a key.
        message : str, optional
            Why, for the log.

        Returns
        -------
        Annotated
            The commit, None where nothing is new, and notes on keys that may be typing errors.

        Raises
        ------
        InputError
            If it is no such table.
        NotFoundError
            If it cannot be read, or a place is not there.

        Examples
        --------
        >>> from pathlib import Path
        >>> written = Path("said.csv").write_text("sample,role\\nmap,standard\\n")
        >>> len(lake.annotate_csv("said.csv").annotations)
        1
        """
        from sxeslake.catalog.remarks import read_csv

        return self._asked().annotate(read_csv(path), tool=TOOL, message=message)

    def calibrations(self) -> list[Calibration]:
        """List the calibrations that are registered in this lake, each with its id; the built-in fit is none of them.

        Returns
        -------
        list of Calibration
            In the order in which they were added, the newest last.

        Examples
        --------
        >>> own = sxeslake.Calibration("qlw", "JS300N", "angstrom", "N K", coefficients=(14.9, 0.0325))
        >>> lake.add_calibration(own) == lake.calibrations()[-1].id
        True
        """
        from sxeslake.maintenance.calibrations import known

        self._vault.sync()
        return list(known(self._vault.state))

    def add_calibration(self, calibration: Calibration, *, message: str | None = None) -> str:
        """Register a calibration; the spectra that it fits have its axis from then on, in every copy of the lake.

        Parameters
        ----------
        calibration : Calibration
            Its values in `calibration.unit`, Å or eV; its `id` is not used.
        message : str, optional
            Why, for the log.

        Returns
        -------
        str
            Its id, made from its content. Nothing is committed where it is there already.

        Raises
        ------
        UsageError
            If its axis is not positive, or turns round within the channels of its type of data.
        DamagedLakeError
            If the lake is damaged, and so cannot be written.

        Examples
        --------
        >>> own = sxeslake.Calibration("qlw", "JS300N", "angstrom", "N K", coefficients=(14.9, 0.0325))
        >>> lake.add_calibration(own)
        'js300n-...'
        """
        done = self.change_calibrations([calibration], message=message)
        return (*done.added, *done.present)[0]

    def remove_calibration(self, id: str, *, message: str | None = None) -> None:  # noqa: A002 - as the attribute
        """Remove a calibration; the log still has it.

        Parameters
        ----------
        id : str
            Its id, such as ``"js300n-1f3a9c"``.
        message : str, optional
            Why, for the log.

        Raises
        ------
        NotFoundError
            If there is no calibration of that id.

        Examples
        --------
        >>> own = sxeslake.Calibration("qlw", "JS300N", "angstrom", "N K", coefficients=(14.9, 0.0325))
        >>> lake.remove_calibration(lake.add_calibration(own))
        >>> lake.calibrations()
        []
        """
        self.change_calibrations(remove=[id], message=message)

    def change_calibrations(
        self,
        add: Sequence[Calibration] = (),
        remove: Sequence[str] = (),
        *,
        dry_run: bool = False,
        message: str | None = None,
    ) -> CalibrationReport:
        """Add and remove calibrations in one commit.

        Parameters
        ----------
        add : sequence of Calibration
            What to register.
        remove : sequence of str
            Ids to remove, first.
        dry_run : bool
            Only tell what would be done.
        message : str, optional
            Why, for the log.

        Returns
        -------
        CalibrationReport
            The ids that were `added`, were `present` already, and were `removed`.

        Raises
        ------
        NotFoundError, UsageError
            As `add_calibration` and `remove_calibration`; nothing is changed then.

        Examples
        --------
        >>> own = sxeslake.Calibration("qlw", "JS300N", "angstrom", "N K", coefficients=(14.9, 0.0325))
        >>> older = lake.add_calibration(own)
        >>> newer = sxeslake.Calibration("qlw", "JS300N", "angstrom", "N K", coefficients=(14.9, 0.0326))
        >>> lake.change_calibrations([newer], remove=[older]).commit
        3
        """
        from sxeslake.maintenance.calibrations import change

        return change(self._vault, add, remove, dry_run=dry_run, tool=TOOL, message=message)

    def tag(self, ref: str, tag: str, *, remove: bool = False, message: str | None = None) -> MarkReport:
        """Name a version: `lake.pull("ti-grains@paper")`.

        Parameters
        ----------
        ref : str
            The version.
        tag : str
            The tag.
        remove : bool
            Remove the tag instead.
        message : str, optional
            Why, for the log.

        Returns
        -------
        MarkReport
            The versions that were changed.

        Raises
        ------
        ConflictError
            If the tag names another version.

        Examples
        --------
        >>> lake.tag("map@1", "paper").marked
        ['map@1']
        >>> lake.show("map@paper").version
        1
        """
        from sxeslake.maintenance.retention import tags

        return tags.tag(self._vault, ref, tag, remove=remove, tool=TOOL, message=message)

    def rename(self, sample: str, new: str, *, message: str | None = None) -> RenameReport:
        """Give a sample another name: versions, tags, holds, annotations and paths go with it; no data moves.

        Parameters
        ----------
        sample : str
            Its name.
        new : str
            Its new name.
        message : str, optional
            Why, for the log.

        Returns
        -------
        RenameReport
            The numbers of its versions.

        Raises
        ------
        SampleNotFoundError
            If there is no such sample.
        AlreadyExistsError
            If another sample has, or had, the new name.

        Examples
        --------
        >>> lake.rename("map", "2019/map").versions
        [1]
        """
        from sxeslake.maintenance.retention import rename

        return rename.rename(self._vault, sample, new, tool=TOOL, message=message)

    def hold(self, refs: str | Sequence[str], *, message: str | None = None) -> MarkReport:
        """Keep versions from being forgotten, until `release`.

        Parameters
        ----------
        refs : str or sequence of str
            Names and globs of versions.
        message : str, optional
            Why, for the log.

        Returns
        -------
        MarkReport
            The versions that were changed.

        Raises
        ------
        SampleNotFoundError
            If there is no such version.

        Examples
        --------
        >>> lake.hold("map").marked
        ['map@1']
        """
        from sxeslake.maintenance.retention import tags

        return tags.hold(self._vault, _names(refs), tool=TOOL, message=message)

    def release(self, refs: str | Sequence[str], *, message: str | None = None) -> MarkReport:
        """Remove a hold.

        Parameters
        ----------
        refs : str or sequence of str
            Names and globs of versions.
        message : str, optional
            Why, for the log.

        Returns
        -------
        MarkReport
            The versions that were changed.

        Raises
        ------
        SampleNotFoundError
            If there is no such version.

        Examples
        --------
        >>> lake.hold("map").marked
        ['map@1']
        >>> lake.release("map").marked
        ['map@1']
        """
        from sxeslake.maintenance.retention import tags

        return tags.release(self._vault, _names(refs), tool=TOOL, message=message)

    def forget(
        self,
        refs: str | Sequence[str],
        *,
        keep_last: int | None = None,
        keep_within: str | None = None,
        dry_run: bool = False,
        message: str | None = None,
    ) -> ForgetReport:
        """Forget versions: `name@2`, all of a `name`, of all names that fit a glob; with rules, those no rule keeps.

        Forgotten versions come back with `restore` until `gc` has collected them: seven days later at the earliest,
        unless it is told otherwise. It never asks: `lake.forget("*")` forgets everything, other than the command,
        which asks before no version is left.

        Parameters
        ----------
        refs : str or sequence of str
            Names and globs of versions.
        keep_last : int, optional
            Keep so many versions of each sample, the newest.
        keep_within : str, optional
            Keep those within a span such as ``"2y"``, ``"6mo"`` or ``"30d"``, counted back from the newest
            version of each sample.
        dry_run : bool
            Only tell what would be done.
        message : str, optional
            Why, for the log.

        Returns
        -------
        ForgetReport
            What is forgotten, and what was kept and why.

        Raises
        ------
        ConflictError
            If a held or tagged version is named outright; rules keep such versions.
        SampleNotFoundError
            If there is no such version.
        UsageError
            If the span cannot be read.

        Examples
        --------
        >>> [row.sample for row in lake.forget("map@1").forgotten]
        ['map']
        >>> lake.ls()
        []
        """
        from sxeslake.maintenance.retention import durations, forget

        policy = forget.Policy(keep_last, None if keep_within is None else durations.parse(keep_within))
        return forget.forget(self._vault, _names(refs), policy, dry_run=dry_run, tool=TOOL, message=message)

    def restore(self, refs: str | Sequence[str], *, message: str | None = None) -> RestoreReport:
        """Bring back what was forgotten.

        What `gc` has collected is gone for good, even where other versions hold the same files; where a name means
        forgotten and collected versions, the former come back, and `warnings` of the report names the others.

        Parameters
        ----------
        refs : str or sequence of str
            Names and globs of versions.
        message : str, optional
            Why, for the log.

        Returns
        -------
        RestoreReport
            What came back.

        Raises
        ------
        SampleNotFoundError
            If it was never forgotten, or is collected.

        Examples
        --------
        >>> report = lake.forget("map")
        >>> [row.sample for row in lake.restore("map").restored]
        ['map']
        """
        from sxeslake.maintenance.retention import forget

        return forget.restore(self._vault, _names(refs), tool=TOOL, message=message)

    def tidy(self, *, dry_run: bool = False, message: str | None = None) -> TidyReport:
        """Join samples that hold the same files: the copies are forgotten, their paths kept with what stays.

        Parameters
        ----------
        dry_run : bool
            Only tell what would be done.
        message : str, optional
            Why, for the log.

        Returns
        -------
        TidyReport
            `joined` samples; samples with tags, holds or annotations stay, see `kept`.

        Examples
        --------
        >>> lake.tidy(dry_run=True).joined
        []
        """
        from sxeslake.maintenance.retention import tidy

        return tidy.tidy(self._vault, dry_run=dry_run, tool=TOOL, message=message)

    def gc(
        self,
        *,
        grace: str | None = None,
        dry_run: bool = False,
        compact: bool = False,
        message: str | None = None,
        progress: Progress | None = None,
    ) -> GcReport:
        """Free what no version needs. Safe beside writers, readers and other collectors.

        Parameters
        ----------
        grace : str, optional
            How long things stay, such as ``"10m"`` (minutes), ``"12h"`` or ``"30d"``, by the bucket's clock: forgotten
            versions after they were forgotten, what is condemned for readers, uploads that no commit names. ``"0"``
            takes all at once. By default seven days, no time, and an hour.
        dry_run : bool
            Only tell what would be done.
        compact : bool
            Join all packs that are not nearly full, such as many workers leave; else only where there are very many.
        message : str, optional
            Why, for the log.
        progress : Progress, optional
            What is told of the bytes that are moved.

        Returns
        -------
        GcReport
            What was freed, in bytes.

        Raises
        ------
        DamagedLakeError
            If the lake is damaged; nothing is done then.
        UsageError
            If the time cannot be read.

        Examples
        --------
        >>> lake.gc(dry_run=True).bytes_freed
        0
        """
        from sxeslake.maintenance.gc import run as gc
        from sxeslake.maintenance.retention import durations

        options = gc.GcOptions(None if grace is None else durations.parse_wait(grace), dry_run, compact)
        with self._vault.from_bucket() as vault:
            return gc.collect(vault, options, tool=TOOL, message=message, progress=progress)

    def repack(
        self,
        preset: Literal["fast", "balanced", "small"] = "small",
        *,
        limit: str | None = None,
        dry_run: bool = False,
        message: str | None = None,
        progress: Progress | None = None,
    ) -> RepackReport:
        """Compress what the lake holds again. Safe beside writers and readers; what is cut short is gone on with.

        Every blob is proved by its hash, every new frame decoded and compared. Old packs are condemned: `gc` deletes
        them.

        Parameters
        ----------
        preset : {"fast", "balanced", "small"}
            How much time compression may take, as of `ingest`.
        limit : str, optional
            A time after which nothing new is begun, such as ``"6h"``.
        dry_run : bool
            Only estimate, from some frames of each pack.
        message : str, optional
            Why, for the log.
        progress : Progress, optional
            What is told of the bytes that are read.

        Returns
        -------
        RepackReport
            How many packs were rewritten, and their bytes before and after.

        Raises
        ------
        DamagedLakeError
            If the log is damaged; a damaged pack is left alone, see `damaged`.
        UsageError
            If the time cannot be read, or no preset is called that.

        Examples
        --------
        >>> lake.repack(dry_run=True).packs_left
        0
        """
        from sxeslake.maintenance.repack import run as repacking
        from sxeslake.maintenance.retention import durations

        _check_preset(preset)
        seconds = float("inf") if limit is None else durations.parse_wait(limit).total_seconds()
        with self._vault.from_bucket() as vault:
            return repacking.repack(
                vault, preset, dry_run=dry_run, seconds=seconds, tool=TOOL, message=message, progress=progress
            )

    def doctor(self) -> Rows[Check]:
        """Check whether this machine can work with this lake.

        Returns
        -------
        Rows of Check
            Each with its result, and what to do.

        Examples
        --------
        >>> [check.name for check in lake.doctor() if check.damage]
        []
        """
        from sxeslake.maintenance.doctor import doctor

        return Rows(doctor(self._vault))

    def verify(
        self,
        *,
        data: bool = False,
        sample_percent: float | None = None,
        seed: int | None = None,
        max_duration_s: float | None = None,
        resume: bool = False,
        jobs: int | None = None,
        executor: Executor | None = None,
        progress: Progress | None = None,
    ) -> VerifyReport:
        """Check that the lake holds what its log promises. Problems are reported, not raised.

        Parameters
        ----------
        data : bool
            Read and hash every byte.
        sample_percent : float, optional
            Read this share of each pack's frames, in percent.
        seed : int, optional
            Chooses them; the report's chooses the same ones again.
        max_duration_s : float, optional
            Begin no more packs after so many seconds: `complete` and `ok` of the report are False then, and
            `packs_unread` says how many are left.
        resume : bool
            Skip the packs that such a run has verified.
        jobs : int, optional
            Threads; by default two a core.
        executor : concurrent.futures.Executor, optional
            Whose workers read the packs of `data` or a sample; see `ingest`. Without a limit of time.
        progress : Progress, optional
            What is told of the bytes that are read.

        Returns
        -------
        VerifyReport
            `ok`, and `problems`.

        Raises
        ------
        UsageError
            If the percentage is not above 0 and at most 100, or a sample should be resumed.

        Examples
        --------
        >>> lake.verify(data=True).ok
        True
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> with ThreadPoolExecutor(2) as executor:
        ...     lake.verify(data=True, executor=executor).ok
        True
        """
        from sxeslake.maintenance.verify.packs import Extent
        from sxeslake.maintenance.verify.run import verify

        seed = secrets.randbelow(2**32) if seed is None else seed
        extent = Extent(data, sample_percent, seed, max_duration_s, resume, jobs)
        wrong_catalog = partial(self._wrong_catalog, everything=data, seed=seed)
        reads = None
        if executor is not None and extent.reads_frames:
            from sxeslake.clusters.checking import elsewhere

            reads = elsewhere(executor, self._opener(), self.url)
        return verify(self._vault, extent, wrong_catalog, progress, reads)

    def drill(self, *, percent: float = 1, seed: int | None = None, progress: Progress | None = None) -> DrillReport:
        """Pull a random sample of the versions into a temporary folder, and compare each with the log's SHA-256.

        Parameters
        ----------
        percent : float
            Share of the versions, above 0 and at most 100; one at least.
        seed : int, optional
            Chooses them; the report's chooses the same ones again.
        progress : Progress, optional
            What is told of the bytes that are pulled.

        Returns
        -------
        DrillReport
            `ok` says whether all came back.

        Raises
        ------
        UsageError
            If the percentage is out of range.

        Examples
        --------
        >>> lake.drill(percent=100).ok
        True
        """
        from sxeslake.pull.drill import drill

        return drill(self._vault, percent, seed, progress)

    def repair(
        self,
        offers: PathLike | Lake | Iterable[PathLike | Lake] = (),
        *,
        from_storage_options: Mapping[str, str] | None = None,
        dry_run: bool = False,
        passwords: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> RepairReport:
        """Put right what `verify` finds wrong, with the content of archives, folders and other lakes.

        Open the lake with `tolerant=True`, or a damaged log stops you before.

        Parameters
        ----------
        offers : path, Lake or iterable of them
            Archives, folders, URLs or names of lakes, and open lakes.
        from_storage_options : mapping, optional
            Settings of the storage of lakes that are offered by URL; this lake's own are never sent to them.
        dry_run : bool
            Only tell what would be done.
        passwords : sequence of str
            Each encrypted 7z or zip is tried with them.
        progress : Progress, optional
            What is told of the bytes that are read.

        Returns
        -------
        RepairReport
            What was repaired, and what cannot be, by archive and member, in `lost`; the rest stays readable.

        Raises
        ------
        NotFoundError
            If an offered path does not exist.
        StorageError
            If storage cannot be written.

        Examples
        --------
        >>> lake.repair("map.plzip").ok
        True
        """
        from sxeslake.ingest import discovery
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
            archives = [found.path for found in discovery.find_any(paths)]
            others = [lake._vault for lake in lakes]
            vault = opened.enter_context(self._vault.from_bucket(remembering=True))
            report = repair(
                vault, archives, others, TOOL, dry_run=dry_run, passwords=_words(passwords), progress=progress
            )
        if report.ok:
            self._repair_catalog(report, dry_run=dry_run)
        return report

    def checkpoint(self) -> CheckpointReport:
        """Publish the log and the catalogue of the newest commit, so that new clients start from them.

        Returns
        -------
        CheckpointReport
            Parts, and bytes that were uploaded.

        Raises
        ------
        DamagedLakeError
            If the lake is damaged, and so cannot be written.

        Examples
        --------
        >>> lake.checkpoint().commit
        1
        """
        return self._asked().checkpoint()

    def publish_tables(
        self,
        to: str | None = None,
        *,
        storage_options: Mapping[str, str] | None = None,
        keep_hours: int = 0,
    ) -> TablesReport:
        """Publish the catalogue as Delta tables, one folder a table, each also plain Parquet.

        They hold the columns that the catalogue stores: all but `acquired_at`, `session`, `measurement` and
        `is_current`, which follow from other rows or from settings. Run again, only what is new is written, and rows
        of forgotten versions are removed. Each table changes in one transaction.

        Parameters
        ----------
        to : str, optional
            The folder or prefix of a bucket (S3, Azure, Google) for them; by default `tables/` in the lake.
        storage_options : mapping, optional
            Settings of the storage of `to`.
        keep_hours : int
            For how many hours files that were replaced are kept, for readers at work. Programs that read a folder as
            plain Parquet see the rows of these files, too.

        Returns
        -------
        TablesReport
            What was done to each table.

        Raises
        ------
        MissingExtraError
            If the package deltalake is not installed.
        UsageError
            If the place is on an SFTP server or another that deltalake does not reach.
        StorageError
            If a server there does not keep two publishers apart.
        ConflictError
            If another Delta table is there.
        DamagedLakeError
            If the lake has lost what the catalogue is made of.

        Examples
        --------
        >>> report = lake.publish_tables()
        >>> [table.rows for table in report.tables if table.table == "positions"]
        [12]
        """
        from sxeslake.catalog.open_tables.publish import PREFIX, TablesTarget
        from sxeslake.storage.object_store import object_store_place

        if to is not None:
            address, store = settings.open_storage(to, storage_options)
            try:
                place = object_store_place(address, _options(to, storage_options))
                target = TablesTarget(store, "", place, store.url)
                return self._asked().publish_tables(target, keep_hours=keep_hours)
            finally:
                store.close()
        store, opening = self._vault.store, self._opening
        if opening is None:
            place = object_store_place(self.url, {})
        else:
            place = object_store_place(opening.address, opening.storage_options)
        folder = PREFIX.rstrip("/")
        target = TablesTarget(store, PREFIX, place.below(folder), f"{store.url}/{folder}")
        return self._asked().publish_tables(target, keep_hours=keep_hours)

    def rebuild_catalog(self) -> Rebuilt:
        """Rebuild the local catalogue from the log and the packs.

        Returns
        -------
        Rebuilt
            Whether the one that was here is equal to it.

        Raises
        ------
        DamagedLakeError
            If the lake has lost what it needs.

        Examples
        --------
        >>> lake.rebuild_catalog().equal
        True
        """
        return self._asked().rebuild()

    def copy_to(
        self, target: Lake, refs: Sequence[str] = (), *, dry_run: bool = False, progress: Progress | None = None
    ) -> CopyReport:
        """Copy archives into another lake. Run again, it copies what is new.

        Each blob is hashed on the way. Names, versions, tags, annotations, who stored it and when go with an archive,
        as far as they are free in the target; calibrations go with a whole lake.

        Parameters
        ----------
        target : Lake
            The other lake.
        refs : sequence of str
            Names and globs of versions; none for all versions of everything.
        dry_run : bool
            Write nothing: the report says which versions would go and, in `bytes_raw`, how much content the target
            lacks, in bytes unpacked.
        progress : Progress, optional
            What is told of the bytes that are copied.

        Returns
        -------
        CopyReport
            What became of each version.

        Raises
        ------
        SampleNotFoundError
            If there is no such version.
        DamagedLakeError
            If the target is damaged, and so cannot be written.

        Examples
        --------
        >>> with sxeslake.init("memory://copy") as other:
        ...     [row.sample for row in lake.copy_to(other, ["map"]).archives]
        ['map']
        """
        from sxeslake.maintenance.copy.run import copy

        return copy(self._vault, target._vault, refs, dry_run=dry_run, tool=TOOL, progress=progress)

    def migrate(
        self,
        patterns: str | Sequence[str],
        *,
        to: str | None = None,
        dry_run: bool = False,
        message: str | None = None,
        progress: Progress | None = None,
        told: Callable[[MigrationReport], None] | None = None,
    ) -> Rows[MigrationReport]:
        """Bring older groups to a newer form of the format, each as the next version of its sample.

        Misspelt keys are corrected; maps, axes and the extensions that are used are added where they are sure. No
        array is read or written. A version that has the form already gets no new one; archives that are no sxes groups
        are passed over where a pattern names them. Each version is a commit of its own: an interruption keeps those
        before it. Of several, one that fails does not stop the others. Files: `sxeslake.archive.migrate`.

        Parameters
        ----------
        patterns : str or sequence of str
            Names and globs, ``"map"``, ``"2018/*"``.
        to : str, optional
            ``"0.1.0"``, ``"0.1.0+maps"`` or ``"0.1.0+maps+arrays"``; the newest by default.
        dry_run : bool
            Tell what would be changed, and write nothing.
        message : str, optional
            A word on it, for the log.
        progress : Progress, optional
            What is told of the work.
        told : callable, optional
            Called with each report as soon as it is there.

        Returns
        -------
        Rows of MigrationReport
            One a version.

        Raises
        ------
        UsageError
            For an unknown form.
        ReadOnlyError
            For a group of a newer format, where it is the only one.
        InputError
            If the only one is no group, or a change would lose something.

        Examples
        --------
        >>> (report,) = lake.migrate("map")
        >>> report.status, report.to_version
        ('migrated', 2)
        """
        from sxeslake.maintenance.migrate import migrate

        names = [patterns] if isinstance(patterns, str) else list(patterns)
        return migrate(
            self._vault, names, to=to, dry_run=dry_run, tool=TOOL, message=message, progress=progress, told=told
        )

    def interpret(
        self,
        patterns: str | Sequence[str],
        *,
        name: str | None = None,
        dry_run: bool = False,
        message: str | None = None,
        limits: Limits = _NO_LIMITS,
        progress: Progress | None = None,
        told: Callable[[InterpretReport], None] | None = None,
    ) -> Rows[InterpretReport]:
        """Read files of instruments that were stored as they are, and make each tree an archive of its own.

        The files are read straight from the lake. The archive is a new sample, whose source names the version it was
        made from; run again, it is unchanged, and a newer version of the tree gives its next version. The files stay
        whole members of it, which are the blobs that the lake has, and so `originals` gives the tree back. New are the
        JSON documents, and arrays that the lake does not have as such: an array that is a part of a file is no blob of
        that file. Archives that are no trees are passed over where a pattern names them. Of several, one that fails
        does not stop the others.

        Parameters
        ----------
        patterns : str or sequence of str
            Names and globs of trees, ``"session 12"``, ``"2018/*"``.
        name : str, optional
            The new sample's name, of a single tree; by default that of the tree with ``-interpreted`` behind it.
        dry_run : bool
            Read everything, and tell what would be added; write nothing.
        message : str, optional
            A word on it, for the log.
        limits : Limits
            What an archive may hold.
        progress : Progress, optional
            What is told of the work.
        told : callable, optional
            Called with each report as soon as it is there.

        Returns
        -------
        Rows of InterpretReport
            One a version.

        Raises
        ------
        UsageError
            For one name of several trees.
        AlreadyExistsError
            If a sample has that name that was not made from the tree.
        NotFoundError
            If no file of an instrument is recognised in the only one.
        InputError
            If the only one is no tree.

        Examples
        --------
        >>> report = lake.ingest("session 12", sample="tree of session 12", tree=True)
        >>> (report,) = lake.interpret("tree of session 12")
        >>> report.to_sample, report.vendor_files
        ('tree of session 12-interpreted', 19)
        """
        from sxeslake.ingest.interpret.run import interpret

        return interpret(
            self._vault, _names(patterns), name=name, dry_run=dry_run, tool=TOOL, message=message, limits=limits,
            progress=progress, told=told,
        )  # fmt: skip

    @cached_property
    def _files(self) -> OpenVersions[VersionFiles]:
        from sxeslake.reading.files import VersionFiles
        from sxeslake.reading.open_versions import OpenVersions

        return OpenVersions(partial(VersionFiles, self._vault))

    @cached_property
    def _sources(self) -> OpenVersions[VersionSource]:
        """The last version that was read, with the rows that it has read."""
        from sxeslake.reading.open_versions import OpenVersions
        from sxeslake.reading.source import VersionSource

        return OpenVersions(partial(VersionSource, self._vault), keep=1)

    @cached_property
    def _measurements(self) -> LakeMeasurements:
        from sxeslake.science import LakeMeasurements

        return LakeMeasurements(self._vault, self._asked)

    def _ingest_by_many(
        self,
        paths: PathLike | Iterable[PathLike],
        plan: PathLike | None,
        form: Literal["auto", "vendor", "tree"],
        options: Options,
        workers: int | None,
        executor: Executor | None,
        progress: Progress | None,
        watcher: Watcher | None,
    ) -> IngestReport:
        from sxeslake.clusters.ingest import ParallelIngest

        if plan is not None and paths != ():
            raise UsageError("give paths or a plan, not both.")
        if options.quick:
            raise UsageError("a quick dry run reads no plan and has no workers.")
        if workers is not None and (workers < 1 or executor is not None):
            raise UsageError("give a number of workers from 1, or an executor.")
        hands = ParallelIngest(self._vault, options, TOOL, workers=workers, executor=executor)
        named, file = ([], Path(plan)) if plan is not None else (_paths(paths), None)
        return hands.run(named, file, form, self._opener, progress, watcher)

    def _opener(self) -> Callable[[], Vault]:
        """Opens this lake in another process. UsageError where that would take secrets."""
        if self._opening is None:
            raise UsageError("this lake was made of storage, not opened by its URL: workers cannot open it.")
        try:
            return partial(_open_vault, self._opening.arguments(self.url))
        except TypeError as error:
            raise UsageError(
                "this lake was opened with secrets, and those are not sent to workers.",
                hint="Give credentials by the AWS variables or a profile, on each machine.",
            ) from error

    def _version(self, ref: str) -> Version:
        return refs.find(self._vault.state, ref)

    def _source(self, ref: str) -> VersionSource:
        return self._sources.of(self._version(ref))

    def _asked(self) -> Catalog:
        """The catalogue, opened by the first question."""
        from sxeslake.catalog.catalog import Catalog
        from sxeslake.catalog.model import no_progress

        with self._catalog_lock:
            if self._catalog is None:
                self._catalog = Catalog(
                    self._vault,
                    time_zones=settings.time_zones(),
                    progress=self._make_progress or no_progress,
                    document_bytes=settings.document_bytes(),
                )
            return self._catalog

    def _close_catalog(self) -> None:
        if self._catalog is not None:
            self._catalog.close()
            self._catalog = None

    def _choice(
        self,
        where: str | None,
        query: str | None,
        sql: str | None,
        words: FilterWords,
        folders: Sequence[str | Path],
    ) -> CatalogChoice | None:
        """What the catalogue is asked for by a part; None where nothing is."""
        from sxeslake.pull.part.request import CatalogChoice, options_given
        from sxeslake.pull.part.wanted import Chosen

        by = options_given(where=where, query=query, sql=sql)
        if not (where or query or sql or words):
            return None

        def positions(versions: Sequence[Version]) -> list[Chosen]:
            from sxeslake.catalog.query.select import Question, choose_positions

            question = Question(where, query, sql, words, [*map(Path, folders)])
            places = [(version.sample, version.version) for version in versions]
            return [Chosen(*row) for row in choose_positions(self._asked(), question, places)]

        return CatalogChoice(by, positions)

    def _repair_catalog(self, report: RepairReport, *, dry_run: bool) -> None:
        """Publish a catalogue again that is not what the archives say: it is all derived."""
        from sxeslake.maintenance.report import Mended

        wrong = self._wrong_catalog(everything=True, seed=None)
        if wrong and not dry_run:
            self._asked().republish()
        report.problems += len(wrong)
        report.mended += [Mended("checkpoint", key, f"{what}; published again") for key, what in wrong.items()]

    def _wrong_catalog(self, *, everything: bool, seed: int | None) -> dict[str, str]:
        """Published catalogues that are not what the archives say; most small lakes have none, and need no DuckDB."""
        from sxeslake.catalog.store.checkpoint import published_numbers

        if not published_numbers(self._vault.store):
            return {}
        return self._asked().wrong_published(everything=everything, seed=seed)


def _words(passwords: Sequence[str]) -> tuple[str, ...]:
    """Passwords; a single text is one, not its letters."""
    return (passwords,) if isinstance(passwords, str) else tuple(passwords)


def _names(texts: str | Sequence[str]) -> list[str]:
    return [texts] if isinstance(texts, str) else list(texts)


def _paths(paths: PathLike | Iterable[PathLike]) -> list[Path]:
    found = [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]
    if not found:
        raise UsageError("no path was given.")
    return found


def _check_preset(preset: str) -> None:
    if preset not in PRESETS:
        raise UsageError(f"{preset!r} is not a preset.", hint=f"There are {', '.join(PRESETS)}.")

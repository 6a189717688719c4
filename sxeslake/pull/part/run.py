"""Pulling a part: read the shares of the versions, plan, check the budget, then write. The thin executor."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from sxeslake.archive.base import ArchiveWriter
from sxeslake.disk.output import is_stream, named, names_folder
from sxeslake.errors import InputError, LimitExceededError, NotFoundError, SxeslakeError, UsageError
from sxeslake.model import ContainerKind, Progress
from sxeslake.pull import annotations_file as sidecar
from sxeslake.pull import whole as pull
from sxeslake.pull.folder.earlier import check_replaceable
from sxeslake.pull.part.assembly import Assembly
from sxeslake.pull.part.selection import Budget, SelectionReport, check_budget, select
from sxeslake.pull.part.share import Share, share_of
from sxeslake.pull.part.wanted import Chosen, PartSpec
from sxeslake.pull.publish import Publisher, WrittenArchive
from sxeslake.vault.log.state import Version
from sxeslake.vault.vault import Vault

_LOG = logging.getLogger(__name__)

_AT_ONCE = 8  # versions read side by side: each waits for a few small replies in turn


@dataclass(frozen=True, slots=True)
class PartTarget:
    """Where it goes, and how: a path, a folder `out/`, a stream, or the place that the sample's name gives."""

    out: str | None
    container: ContainerKind | None = None
    level: int | None = None
    force: bool = False
    threads: int | None = None
    stream: BinaryIO | None = None
    password: str | None = field(default=None, repr=False)  # encrypts a 7z or zip

    @property
    def is_folder(self) -> bool:
        """Whether `out` names a folder."""
        return self.out is not None and names_folder(self.out)

    def kind(self, version: Version | None) -> ContainerKind:
        """The container: as it is asked for, else by the name, else the version's own."""
        if self.container is not None:
            return self.container
        if self.is_folder:
            return "folder"
        target = None if self.out is None else Path(self.out)
        if version is not None:
            return pull.container_of(version, target)
        return pull.container_by_suffix(target) or "7z"

    def check(self, version: Version | None) -> None:
        """Refuse a place that is taken, or that nobody named, before anything is read."""
        if self.stream is None and (version is None or self.out is not None):
            container = self.kind(version)
            target = _target(self, version, container, None)
            self.publisher().check(target, container)

    def publisher(self, guard: Callable[[Path], None] | None = None) -> Publisher:
        """What puts an archive there."""
        return Publisher(self.level, self.force, self.threads, guard=guard, password=self.password)


@dataclass(frozen=True, slots=True)
class PartPull:
    """One call: what is wanted, and of whom."""

    vault: Vault
    wanted: PartSpec
    chosen: Sequence[Chosen] | None
    by: str
    budget: Budget
    tool: str
    progress: Progress | None = None

    def of_one(self, version: Version) -> Assembly:
        """A part of one version."""
        chosen = None if self.chosen is None else {item.position_uuid for item in self.chosen}
        return select(share_of(self.vault, version, self.wanted, chosen, by=self.by))

    def of_many(self, versions: Sequence[Version], *, asked: bool) -> Assembly:
        """One group of parts of many versions; those without such a part are left out."""
        from sxeslake.pull.merge.run import merge  # noqa: PLC0415 - start-up time: most parts are of one version

        if self.wanted.members and not self.wanted.of_a_group and self.chosen is None:
            raise UsageError("--member without another choice takes members of one archive.", hint="Name one sample.")
        by_version = self._by_version(versions)
        kept = [version for version in versions if version.name in by_version]
        if not kept:
            raise NotFoundError(f"{self.by} leaves no position of the requested archives.")
        _LOG.info("parts of %d of %d versions", len(kept), len(versions))
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="share") as readers:
            found = list(readers.map(lambda version: self._share(version, by_version[version.name]), kept))
        shares = [share for share in found if isinstance(share, Share)]
        errors = [error for error in found if not isinstance(error, Share)]
        if not shares:
            raise errors[0]
        unfit = [error for error in errors if not isinstance(error, NotFoundError)]
        if unfit and asked:
            raise unfit[0]
        assembly = merge(shares, tool=self.tool, lake_id=self.vault.file.lake_id)
        left_out = [f"left out: {error}" for error in (errors if asked else unfit)]
        return replace(assembly, warnings=[*assembly.warnings, *left_out])

    def _by_version(self, versions: Sequence[Version]) -> dict[str, set[str] | None]:
        if self.chosen is None:
            return {version.name: None for version in versions}
        uuids = len({item.position_uuid for item in self.chosen})  # a copy of an archive has the same ones
        if uuids > self.budget.positions:
            raise LimitExceededError(
                f"this would be {uuids:,} positions, more than the {self.budget.positions:,} allowed.",
                hint="Narrow it, or allow more with --max-positions. Nothing was moved.",
            )
        found: defaultdict[str, set[str]] = defaultdict(set)
        for item in self.chosen:
            found[f"{item.sample}@{item.version}"].add(item.position_uuid)
        return dict(found)

    def _share(self, version: Version, chosen: Collection[str] | None) -> Share | SxeslakeError:
        try:
            return share_of(self.vault, version, self.wanted, chosen, by=self.by)
        except (NotFoundError, InputError) as error:  # of one archive; the others may have such a part, and be fit
            _LOG.info("%s is left out: %s", version.name, error.what)
            return error

    def deliver(
        self,
        assembly: Assembly,
        output: PartTarget,
        version: Version | None,
        *,
        dry_run: bool,
        planned: Callable[[SelectionReport], None] | None = None,
    ) -> SelectionReport:
        """Check, say what will move, then write; a dry run ends there."""
        check_budget(assembly, self.budget)
        assembly.check()
        container = output.kind(version)
        report = _planned(self.vault, assembly, version, container)
        _LOG.info(
            "%s (%s): %d positions, %d members, %d bytes to fetch in %d requests",
            assembly.title, container, report.positions, report.members, report.bytes_fetch, report.requests,
        )  # fmt: skip
        if planned is not None:
            planned(report)
        if dry_run:
            return report
        versions = [each.version for each in assembly.carried]

        def guard(folder: Path) -> None:
            check_replaceable(self.vault, versions, folder, assembly.expected())

        publisher = output.publisher(guard)

        def fill(writer: ArchiveWriter) -> None:
            with ExitStack() as reading:
                for part in assembly.parts:
                    reading.enter_context(self.vault.reading(part.rows.version))
                assembly.fill(self.vault, writer, self.progress, report.bytes_fetch)

        if output.stream is not None:
            return _done(report, "-", publisher.to_stream(output.stream, container, fill))
        target, state = _target(output, version, container, assembly.kind), self.vault.state
        if is_stream(target):
            return _done(report, str(target), publisher.to_path(target, container, fill))
        sidecar.check_part(state, assembly.carried, target, force=output.force)
        report = _done(report, str(target), publisher.to_path(target, container, fill))
        beside = sidecar.write_part(
            state, assembly.carried, target, merged=version is None, lake=self.vault.store.url, force=output.force
        )
        return replace(report, annotations=beside)


def _target(output: PartTarget, version: Version | None, container: ContainerKind, kind: str | None) -> Path:
    """`map.plzip` in part is `map-part.plzip`, unless it is told where to go."""
    if output.out is not None and not (output.is_folder and container != "folder"):
        return named(output.out)
    if version is None:
        raise UsageError("name the output of the merged group.", hint="-o nitrides.pl7z")
    name = Path(pull.default_name(version, container, kind))
    return Path(output.out or ".") / f"{name.stem}-part{name.suffix}"


def _planned(vault: Vault, assembly: Assembly, version: Version | None, container: ContainerKind) -> SelectionReport:
    cost = assembly.cost(vault)
    return SelectionReport(
        sample=None if version is None else version.sample,
        version=None if version is None else version.version,
        path=None,
        container=container,
        members=assembly.members,
        bytes_raw=assembly.bytes_raw,
        bytes_written=None,
        sha256=None,
        renamed=[],
        positions=assembly.positions,
        analyses=assembly.analyses,
        samples=list(assembly.samples),
        bytes_fetch=cost.bytes_fetch,
        requests=cost.requests,
        dry_run=True,
        warnings=list(assembly.warnings),
    )


def _done(report: SelectionReport, path: str, written: WrittenArchive) -> SelectionReport:
    size = report.bytes_raw if written.size is None else written.size
    return replace(report, path=path, bytes_written=size, sha256=written.sha256, renamed=written.renamed, dry_run=False)

"""The migration of an archive that is a file or a folder: a new one beside it, members in their order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from sxeslake.archive.base import ArchiveWriter, Container
from sxeslake.archive.container import DEFAULT_LEVEL, create_writer, open_container
from sxeslake.archive.folder import FolderWriter
from sxeslake.archive.migration.contents import GroupContents
from sxeslake.archive.migration.plan import MigrationPlan, check_form, plan_migration
from sxeslake.archive.migration.report import MigrationReport
from sxeslake.archive.names import NameBatch, check_names, check_safe
from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.text import check_encoding
from sxeslake.archive.sxes.saving import container_of
from sxeslake.archive.sxes.source import ContainerSource
from sxeslake.disk.output import check_file, check_folder, written_file, written_folder
from sxeslake.errors import UsageError
from sxeslake.machine.concurrency import in_order
from sxeslake.model import ContainerKind, Limits, Member, Piece


def migrate(
    path: str | Path,
    out: str | Path | None = None,
    *,
    to: str | None = None,
    dry_run: bool = False,
    force: bool = False,
    level: int = DEFAULT_LEVEL,
    encoding: str | None = None,
    limits: Limits | None = None,
) -> MigrationReport:
    """Bring an older group to a newer form of the format, as a new archive.

    Members that no step names keep their bytes, their times and attributes, and their order; new ones come last.

    Parameters
    ----------
    path
        A zip, a 7z or a folder with a group.
    out
        The new archive; its suffix says which container it is, none is a folder. The same as `path` only with `force`.
    to
        The form, ``"0.1.0"``, ``"0.1.0+maps"`` or ``"0.1.0+maps+arrays"``; the newest by default.
    dry_run
        Tell what would be changed, and write nothing.
    force
        Replace a file that is there.
    level
        How much a new zip or 7z is compressed, 0 to 9.
    encoding
        Of names and JSON that are not Unicode, such as ``"cp932"``.
    limits
        What the archive may hold before it counts as a bomb.

    Returns
    -------
    MigrationReport
        Nothing is written where the group has that form already: ``"unchanged"``.

    Raises
    ------
    UsageError
        For an unknown form, or no place to write to.
    ReadOnlyError
        For a group of a newer format.
    InputError
        If it is no group, or a change would lose something.
    AlreadyExistsError
        If something is at `out`, without `force`.

    Examples
    --------
    >>> from sxeslake.archive import migrate
    >>> report = migrate("map.plzip", "new.plzip", to="0.1.0+maps")
    >>> report.status, [step.step for step in report.steps]
    ('migrated', ['maps', 'extensions'])
    """
    check_form(to)
    path, target = Path(path), None if out is None else Path(out)
    kind = None if target is None else container_of(target, None)
    if target is None and not dry_run:
        raise UsageError("name the file of the migrated archive.", where=path, hint="-o new.plzip")
    if target is not None and not dry_run:
        (check_folder if kind == "folder" else check_file)(target, force=force and kind != "folder")
    with open_container(path, encoding=check_encoding(encoding), limits=limits) as container:
        plan = plan_migration(_contents(container, path.name, encoding), to, where=path)
        report = MigrationReport(
            "planned" if plan.changes else "unchanged", plan.form, path=str(path), members=plan.members,
            bytes_written=sum(map(len, plan.written.values())), steps=plan.steps,
        )  # fmt: skip
        if target is None or kind is None or dry_run or not plan.changes:
            return report
        _write(container, plan, target, kind, level=level, force=force)
    report.status, report.out = "migrated", str(target)
    return report


def migrated_members(members: Sequence[Member], plan: MigrationPlan) -> Iterator[tuple[int | None, Member]]:
    """The members of the new archive, each with the place of the old one that it comes from; new ones come last.

    A member that is changed keeps time and attributes; a new one has those of `metadata.json`.
    """
    left = dict(plan.written)
    like = Member(layout.METADATA, "file")
    for number, member in enumerate(members):
        path = plan.renamed.get(member.path, member.path)
        data = left.pop(path, None)
        if member.path == layout.METADATA:
            like = member
        kept = member if path == member.path else replace(member, path=path, raw_name=None)
        yield number, kept if data is None else replace(kept, size=len(data), crc32=None)
    for path, data in left.items():
        yield None, replace(like, path=path, size=len(data), crc32=None, raw_name=None)


def _contents(container: Container, name: str, encoding: str | None) -> GroupContents:
    files = ((member.path, member.size) for member in container.members if member.kind == "file")
    return GroupContents.of(files, ContainerSource(container, name).read_many, encoding)


def _write(
    container: Container, plan: MigrationPlan, target: Path, kind: ContainerKind, *, level: int, force: bool
) -> None:
    members = list(migrated_members(container.members, plan))
    check_safe([NameBatch([m.path for _, m in members], [m.kind == "directory" for _, m in members])], where=target)
    if kind == "folder":  # which holds no two files of one name
        check_names(lambda: ((member.path, member.kind == "directory") for _, member in members), where=target)
        with written_folder(target) as made:
            _fill(FolderWriter(made, called=target), container, members, plan.written)
        return
    with written_file(target, force=force) as file:
        writer = create_writer(file, kind, level=level, comment=container.comment)
        _fill(writer, container, members, plan.written)
        container.close()  # Windows replaces no open file


def _fill(
    writer: ArchiveWriter,
    container: Container,
    members: Sequence[tuple[int | None, Member]],
    written: Mapping[str, bytes],
) -> None:
    with closing(in_order(container.jobs())) as decoded:
        pieces = groupby((piece for found in decoded for piece in found), key=lambda piece: piece.member)
        number, group = next(pieces, (None, iter(())))
        for old, member in members:
            parts: Iterator[Piece] = iter(())
            if old is not None and old == number:
                parts = group
            data = written.get(member.path)
            writer.add(member, [data] if data is not None else (piece.data for piece in parts))
            if old is not None and old == number:
                number, group = next(pieces, (None, iter(())))
    writer.close()

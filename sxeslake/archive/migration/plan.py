"""The forms of the format, the steps that lead from one to the next, and what they make of a group. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from sxeslake.archive.migration.arrays import describe_arrays
from sxeslake.archive.migration.contents import DocumentChange, GroupContents, loses
from sxeslake.archive.migration.maps import add_maps
from sxeslake.archive.migration.report import MigrationStep
from sxeslake.archive.migration.spelling import repair_keys, repair_names
from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.text import dump
from sxeslake.archive.sxes.extensions.stated import Extension, newer_than_known, state
from sxeslake.errors import InputError, ReadOnlyError, UsageError

FORMS: Final = ("0.1.0", "0.1.0+maps", "0.1.0+maps+arrays")
"""What `--to` takes, the oldest first; each has all that those before it have."""

NEWEST: Final = FORMS[-1]

_EXAMPLES: Final = 3


class _Step(NamedTuple):
    name: str
    form: str
    does: str
    run: Callable[[GroupContents], Iterator[DocumentChange]]


def state_extensions(group: GroupContents) -> Iterator[DocumentChange]:
    """State in `metadata.json` each extension that members of the group belong to."""
    document = group.document(layout.METADATA)
    if document is None or not isinstance(document.fields.get("extensions", {}), dict):
        return
    fields = document.fields
    stated = [extension for extension in _used(group) if state(fields, extension)]
    if stated:
        data = dump(fields, document.encoding)
        yield DocumentChange(layout.METADATA, f"{layout.METADATA}: {', '.join(stated)}", data)


def _used(group: GroupContents) -> Iterator[Extension]:
    if group.map_paths():
        yield "maps"
    if group.item_paths(layout.DATA, layout.ARRAYS):
        yield "arrays"
    kinds: tuple[Literal["documents", "sources"], ...] = ("documents", "sources")
    for kind in kinds:
        if any(_is_hashed(path, kind) for path in group.sizes):
            yield kind


def _is_hashed(path: str, kind: layout.HashedKind) -> bool:
    digest = layout.shared_digest(path)
    return layout.is_hash(digest) and path == layout.hashed_path(kind, digest)


_STEPS: Final = (
    _Step("keys", FORMS[0], "corrects misspelt keys of older converters", repair_keys),
    _Step("names", FORMS[0], "corrects the suffixes of shared files", repair_names),
    _Step("maps", FORMS[1], "adds a map to each analysis whose positions form a raster or a line", add_maps),
    _Step("arrays", FORMS[2], "describes type, shape and axis of xes and qlw", describe_arrays),
    _Step("extensions", FORMS[1], "states the extensions that are used", state_extensions),
)


@dataclass(frozen=True, slots=True)
class MigrationPlan:
    """What has to be done to a group: new bytes by new path, new path by old path, and what each step says.

    `metadata` is the `metadata.json` that it will have.
    """

    form: str
    metadata: bytes
    written: Mapping[str, bytes]
    renamed: Mapping[str, str]
    steps: list[MigrationStep]

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.written or self.renamed)

    @property
    def members(self) -> int:
        """How many members are changed, renamed or added."""
        return len({*self.written, *self.renamed.values()})


def check_form(to: str | None) -> str:
    """The form that is meant; the newest where none is named."""
    if to is None:
        return NEWEST
    if to not in FORMS:
        raise UsageError(f"no form {to!r} of the format is known.", hint=f"Known: {', '.join(FORMS)}.")
    return to


def plan_migration(group: GroupContents, to: str | None = None, *, where: object = None) -> MigrationPlan:
    """What brings a group to a form.

    Parameters
    ----------
    group : GroupContents
        All sizes, and the JSON that `contents.is_read` asks for.
    to : str, optional
        One of `FORMS`; the newest by default.
    where : object, optional
        What errors name.

    Returns
    -------
    MigrationPlan
        Nothing is in it where the group has that form, or a later one.

    Raises
    ------
    UsageError
        For an unknown form.
    ReadOnlyError
        For a group of a newer format, or with a required extension that is not known.
    InputError
        If there is no `metadata.json`, or writing it would lose something.
    """
    form = check_form(to)
    _check(group, where)
    before, moved = group, dict[str, str]()
    steps = []
    for step in _STEPS:
        if FORMS.index(step.form) > FORMS.index(form):
            continue
        changes = list(step.run(group))
        if changes:
            group = group.after(changes)
            moved |= {change.path: change.was for change in changes if change.was is not None}
            examples = [change.said for change in changes[:_EXAMPLES]]
            steps.append(MigrationStep(step.name, step.form, step.does, len(changes), examples))
    written = {path: data for path, data in group.raw.items() if before.raw.get(moved.get(path, path)) != data}
    metadata = group.raw[layout.METADATA]
    return MigrationPlan(form, metadata, written, {old: new for new, old in moved.items()}, steps)


def _check(group: GroupContents, where: object) -> None:
    document = group.document(layout.METADATA)
    if document is None:
        why = f"its {layout.METADATA} is there twice, or too large" if layout.METADATA in group.sizes else None
        raise InputError(why or f"holds no {layout.METADATA}.", where=where, hint="Only an sxes group can be migrated.")
    newer = newer_than_known(document.value)
    if newer is not None:
        raise ReadOnlyError(newer, where=where, hint="It can be read and stored, not changed; install a newer version.")
    lost = loses(document)
    if lost is not None:
        raise InputError(f"{layout.METADATA} cannot be changed without loss: {lost}.", where=where)

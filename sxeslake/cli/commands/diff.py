"""`diff`: what differs between two versions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.completion import suggest
from sxeslake.cli.documents import DIFF, document
from sxeslake.cli.options import LakeCommand
from sxeslake.cli.words import count, shown, size

if TYPE_CHECKING:
    from sxeslake.format.layout import LayoutChange
    from sxeslake.pull.difference import Difference, FieldChange, MemberChange, PositionChange
    from sxeslake.pull.map_difference import MapChange

_SIGNS = {"added": "+", "removed": "-", "changed": "~", "renamed": "="}


@click.command("diff", cls=LakeCommand, example="sxeslake diff map@1 map@2\nsxeslake diff map 'map copy' --limit 0")
@click.argument("a", metavar="A[@V]", shell_complete=suggest.sample)
@click.argument("b", metavar="B[@V]", shell_complete=suggest.sample)
@click.option(
    "--limit", type=click.IntRange(min=0), default=20, metavar="N", show_default=True,
    help="Lines of each kind; 0 shows all. --json always has all.",
)  # fmt: skip
@pass_app
def command(app: App, a: str, b: str, limit: int) -> None:
    """Compare two archives: members, positions, conditions; times, attributes, order, comment.

    Positions are told by what was measured, when and where: the same measurement under another UUID is not a change.
    Conditions, states and metadata are compared field by field. "equal" means the same names and contents,
    "identical" means that nothing else differs either, not even how the file is packed.
    """
    with app.open_lake() as lake:
        found = lake.diff(a, b)
        if app.as_json and found.equal:
            # Equal archives are compared without reading them; how many positions they have, the catalogue knows.
            found.positions_same = sum(analysis.positions for analysis in lake.measurement(found.a))
    if app.as_json:
        app.emit(document(found, DIFF))
        return
    for line in _lines(found, limit):
        app.print(line)


def _lines(found: Difference, limit: int) -> Iterator[str]:
    if found.equal:
        entries = count(found.members_same, "entry", "entries")
        yield f"equal      {shown(found.a)} and {shown(found.b)} hold the same {entries}"
        if found.identical:
            yield "identical  times, attributes, order, comment and packing are the same, too"
        else:
            yield f"differs    in {', '.join(found.differs)}"
    else:
        yield from _contents(found, limit)
    yield from _layout(found, limit)


def _contents(found: Difference, limit: int) -> Iterator[str]:
    yield f"members    {_counts(found.members, found.members_same)}"
    yield from _some([_member(change) for change in found.members], limit)
    if found.positions or found.positions_same:
        yield f"positions  {_counts(found.positions, found.positions_same)}"
        yield from _some([_position(change) for change in found.positions], limit)
    if found.maps or found.maps_same:
        yield f"maps       {_counts(found.maps, found.maps_same)}"
        yield from _some([_map(change) for change in found.maps], limit)
    for condition in found.conditions:
        ids = " → ".join((each or "none")[:12] for each in (condition.condition_a, condition.condition_b))
        moved = f", {count(condition.positions, 'position')}" if condition.positions else ""
        yield f"condition  {ids}{moved}"
        yield from _some([_field(change) for change in condition.fields], limit)
    if found.fields:
        yield f"fields     {count(len(found.fields), 'difference')}"
        yield from _some([f"{_field(change)}   {shown(change.where)}" for change in found.fields], limit)


def _layout(found: Difference, limit: int) -> Iterator[str]:
    """What differs beside the contents."""
    for what, word in (("time", "times"), ("attributes", "attributes"), ("name", "names")):
        changes = [change for change in found.layout if change.what == what]
        if changes:
            yield f"{word:10} {count(len(changes), 'member')} differ{'s' if len(changes) == 1 else ''}"
            yield from _some([_layout_change(change) for change in changes], limit)
    if "order" in found.differs:
        yield "order      the order of members differs"
    if "comment" in found.differs:
        yield f"comment    {_value(found.comment_a)} → {_value(found.comment_b)}"
    if found.container_a != found.container_b:
        yield f"container  {shown(found.container_a)} → {shown(found.container_b)}"
    elif "container" in found.differs:
        yield f"container  both are {shown(found.container_a)}, packed differently"


def _layout_change(change: LayoutChange) -> str:
    return f"~ {shown(change.path)}  {shown(change.a or 'none')} → {shown(change.b or 'none')}"


def _counts(changes: Sequence[MemberChange | PositionChange | MapChange], same: int) -> str:
    kinds = [change.change for change in changes]
    said = [f"{kinds.count(kind):,} {kind}" for kind in ("added", "removed", "changed", "renamed") if kind in kinds]
    return ", ".join([*said, f"{same:,} the same"])


def _some(lines: list[str], limit: int) -> Iterator[str]:
    shown_lines = lines if not limit else lines[:limit]
    yield from (f"  {line}" for line in shown_lines)
    if len(shown_lines) < len(lines):
        yield f"  … and {len(lines) - len(shown_lines):,} more (--limit 0 shows all)"


def _member(change: MemberChange) -> str:
    sizes = " → ".join(size(each) for each in (change.size_a, change.size_b) if each is not None)
    return f"{_SIGNS[change.change]} {shown(change.path)}  {sizes}"


def _position(change: PositionChange) -> str:
    uuids = " → ".join(dict.fromkeys(each for each in (change.uuid_a, change.uuid_b) if each is not None))
    data = f"  {', '.join(change.types)}" if change.types and change.change == "changed" else ""
    return f"{_SIGNS[change.change]} {shown(uuids)}{data}  {shown(change.comment or '')}".rstrip()


def _map(change: MapChange) -> str:
    uuids = " → ".join(dict.fromkeys(each for each in (change.uuid_a, change.uuid_b) if each is not None))
    differ = [", ".join(change.channels), count(change.points, "point") if change.points else ""]
    return "  ".join(filter(None, [f"{_SIGNS[change.change]} {shown(uuids)}", change.name, *differ])).rstrip()


def _field(change: FieldChange) -> str:
    return f"{shown(change.field)}: {_value(change.a)} → {_value(change.b)}"


def _value(value: Any) -> str:
    return "none" if value is None else shown(json.dumps(value, ensure_ascii=False))

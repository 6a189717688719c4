"""How a group and what it holds show themselves: a line that names the thing, and a table in a notebook.

A face reads what it shows, and says less where that cannot be read: looking at a thing never fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.fields import ConditionFields, StateFields
from sxeslake.errors import SxeslakeError
from sxeslake.text.html import clock, counted, html_facts, html_table
from sxeslake.text.safe import visible
from sxeslake.text.table import size

if TYPE_CHECKING:
    from typing import TypeVar

    from sxeslake.archive.sxes.extensions.attached import HashedDocument
    from sxeslake.archive.sxes.extensions.channels import Channel
    from sxeslake.archive.sxes.extensions.maps import Map
    from sxeslake.archive.sxes.extensions.position_arrays import DescribedArray
    from sxeslake.archive.sxes.group import Group
    from sxeslake.archive.sxes.items import Item
    from sxeslake.archive.sxes.outline import Analysis, Items, MetadataEntry, Project
    from sxeslake.archive.sxes.position import Position
    from sxeslake.archive.sxes.shared import Condition, Shared

    ItemT = TypeVar("ItemT", bound=Item)

_SHOWN: Final = 20  # positions or analyses in a notebook
_COMMENT: Final = 40  # characters of a comment in a line
_HEADS: Final = ("position", "kV", "nA", "grating", "measured", "comment", "stage x (mm)", "y (mm)", "z (mm)")
_KINDS: Final = {"u": "uint", "i": "int", "f": "float"}  # of dtypes, as numpy names them


def line(kind: str, name: str, say: Callable[[], Iterator[str]]) -> str:
    """`<Position of map@1: 5 kV, 100 nA>`; without what cannot be read."""
    words = []
    try:
        words = [text for text in say() if text]
    except (SxeslakeError, OSError, ValueError):  # lost, damaged, or the archive is closed
        words.append("cannot be read")
    about = f": {', '.join(words)}" if words else ""
    return visible(f"<{kind}{f' of {name}' if name else ''}{about}>")


def quoted(text: str) -> str:
    """A comment or a name in a line, cut where it is long."""
    first = " ".join(text.split())
    return f'"{first if len(first) <= _COMMENT else first[: _COMMENT - 1] + "…"}"' if first else ""


def beam(state: StateFields) -> Iterator[str]:
    """`5 kV`, `100 nA`, as far as they are known."""
    for value, unit in ((state.accelerating_voltage_kv, "kV"), (state.probe_current_na, "nA")):
        if value is not None:
            yield f"{value:.5g} {unit}"


def settings(fields: ConditionFields) -> Iterator[str]:
    """`JS300N`, `XES300N`, `10 frames`, `17 × 2049`, `JXA-8530F`."""
    yield fields.grating or ""
    yield fields.spectrometer or ""
    yield counted(fields.accumulation, "frame") if fields.accumulation is not None else ""
    yield f"{fields.rows} × {fields.columns}" if fields.rows is not None and fields.columns is not None else ""
    yield fields.instrument or ""


def position_line(item: Item) -> str:
    """`<Position 3 of map@1: 5 kV, 100 nA, JS300N, "CuFeS2-3 5kV">`."""

    def say() -> Iterator[str]:
        yield from beam(item.state)
        condition = item.condition
        yield (condition.fields.grating or "") if condition is not None else ""
        yield quoted(item.comment)

    return line(f"{type(item).__name__}{_number(item)}", item.group.name, say)


def condition_line(condition: Condition) -> str:
    """`<Condition: JS300N, XES300N, 10 frames, 17 × 2049, JXA-8530F>`."""
    return line("Condition", "", lambda: settings(condition.fields))


def entry_line(entry: MetadataEntry, holds: Callable[[], Iterator[str]]) -> str:
    """`<Analysis "TiN map" of map@1: 48 positions>`."""
    name = quoted(entry.name)
    return line(f"{type(entry).__name__}{f' {name}' if name else ''}", entry.group.name, holds)


def size_line(shared: Shared) -> str:
    """`<Background of map@1: 139,332 bytes>`."""
    return line(type(shared).__name__, shared.group_name, lambda: iter([f"{len(shared.raw):,} bytes"]))


def group_line(group: Group) -> str:
    """`<Group map@1: 1 analysis, 48 positions>`."""
    return line(f"Group {group.name}", "", lambda: _holds(group))


def map_line(each: Map) -> str:
    """`<Map "Ti" of map.plzip: stage, 2 × 3, Ti Ka, Fe Ka>`."""

    def say() -> Iterator[str]:
        fields = each.fields
        yield fields.kind or ""
        yield _sizes(each.shape) + (" points" if len(each.shape) == 1 else "")
        yield from (channel.name or "" for channel in fields.current[:_SHOWN])

    return _named_line("Map", lambda: each.name, each.group.name, say)


def channel_line(channel: Channel) -> str:
    """`<Channel "Ti Ka" of map.plzip: float64 2 × 3, counts>`."""

    def say() -> Iterator[str]:
        fields = channel.fields
        yield f"{_dtype(fields.dtype or '')} {_sizes(channel.shape)}".strip()
        yield fields.quantity or ""
        yield f"version {fields.version}" if fields.version > 1 else ""

    return _named_line("Channel", lambda: channel.name, channel.map.group.name, say)


def array_line(array: DescribedArray) -> str:
    """`<DescribedArray wds-ch3: float64 1200, position in mm>`."""

    def say() -> Iterator[str]:
        axis = array.axis
        yield f"{_dtype(array.dtype)} {_sizes(array.shape)}"
        yield f"{axis.quantity} in {axis.unit}" if axis is not None and axis.unit else ""

    return line(f"DescribedArray {array.name}", "", say)


def attached_line(each: HashedDocument) -> str:
    """`<VendorSource of map.plzip: Ti_0001_QLW>`."""

    def say() -> Iterator[str]:
        fields = each.document.fields
        yield str(fields.get("root") or fields.get("schema") or each.id[:12])[:_COMMENT]

    return line(type(each).__name__, each.group.name, say)


def position_html(position: Position) -> str:
    """What a person asks first of a position, a line each."""
    return _page(
        f"Position{_number(position)} of {position.group.name}",
        lambda: {
            **_item_facts(position),
            "data": "; ".join(f"{name} {_dtype(array.dtype)} {array.shape}" for name, array in position.arrays.items()),
            "uuid": position.uuid,
        },
    )


def image_html(item: Item, image_type: Callable[[], str]) -> str:
    """The same of an image; the picture itself is `picture`."""

    def say() -> dict[str, object]:
        kind = image_type()
        there = item.members.get(f"image.{kind}")
        picture = f"{kind}, {size(there)}" if there is not None else "none"
        return {**_item_facts(item), "picture": picture, "uuid": item.uuid}

    return _page(f"Image of {item.group.name}", say)


def condition_html(condition: Condition) -> str:
    """The settings of spectrometer and camera, a line each."""

    def say() -> dict[str, object]:
        fields = condition.fields
        return {
            "grating": fields.grating, "spectrometer": fields.spectrometer, "instrument": fields.instrument,
            "camera": fields.ccd_name, "frames": fields.accumulation, "gain": fields.gain,
            "rows × columns": f"{fields.rows} × {fields.columns}" if fields.rows and fields.columns else None,
            "calibration": fields.calibration_coefficients, "cannot be read": fields.unread, "id": condition.id,
        }  # fmt: skip

    return _page("Condition", say)


def items_html(items: Items[ItemT], name: str) -> str:
    """The first positions or images as a table."""
    rows = [_row(number, item) for number, item in enumerate(islice(items[:_SHOWN], _SHOWN), 1)]
    below = [f"{len(items):,} in all, the first {_SHOWN} shown"] if len(items) > _SHOWN else []
    return html_table(_HEADS, rows, caption=name, below=below)


def analysis_html(analysis: Analysis) -> str:
    """Who, when and where; then its first positions."""
    head = _page(
        f"Analysis {quoted(analysis.name) or analysis.uuid} of {analysis.group.name}",
        lambda: {
            "comment": analysis.comment, "operator": analysis.operator, "instrument": analysis.instrument,
            "acquired": analysis.acquired_local, "images": len(analysis.images) or None,
            "maps": len(analysis.listed(layout.MAP_KEY)) or None,
            "projects": [project.name for project in analysis.projects],
        },
    )  # fmt: skip
    positions = analysis.positions
    return head + (items_html(positions, counted(len(positions), "position")) if positions else "")


def project_html(project: Project) -> str:
    """Who, and which analyses."""
    return _page(
        f"Project {quoted(project.name) or project.uuid} of {project.group.name}",
        lambda: {
            "comment": project.comment,
            "operator": project.operator,
            "analyses": [analysis.name or analysis.uuid for analysis in project.analyses],
        },
    )


def group_html(group: Group) -> str:
    """The analyses, each with the conditions of its first position."""

    def rows(analyses: Sequence[Analysis]) -> Iterator[tuple[object, ...]]:
        for analysis in analyses[:_SHOWN]:
            first = analysis.positions[0] if analysis.positions else None
            kv, na, grating = ("", "", "") if first is None else _conditions(first)
            when = analysis.acquired_local
            yield (
                analysis.name, len(analysis.positions), kv, na, grating, "" if when is None else clock(when),
                analysis.comment, analysis.operator, analysis.instrument,
            )  # fmt: skip

    try:
        analyses = group.analyses
        caption = f"{group.name}: {', '.join(_holds(group))}"
        heads = ("analysis", "positions", "kV", "nA", "grating", "acquired", "comment", "operator", "instrument")
        below = [f"{len(analyses):,} analyses, the first {_SHOWN} shown"] if len(analyses) > _SHOWN else []
        below += [f"{warning.path}: {warning.problem}" for warning in group.warnings[:_SHOWN]]
        return html_table(heads, rows(analyses), caption=caption, below=below)
    except (SxeslakeError, OSError, ValueError) as error:
        return html_table((), (), caption=group.name, below=[str(error)])


def _holds(group: Group) -> Iterator[str]:
    yield counted(len(group.analyses), "analysis")
    yield counted(len(group.positions), "position")


def _page(caption: str, say: Callable[[], Mapping[str, object]]) -> str:
    try:
        return html_facts(say(), caption=caption)
    except (SxeslakeError, OSError, ValueError) as error:  # as in `line`
        return html_facts({"cannot be read": str(error)}, caption=caption)


def _item_facts(item: Item) -> dict[str, object]:
    state, condition = item.state, item.condition
    place = (("x", state.stage_x_mm), ("y", state.stage_y_mm), ("z", state.stage_z_mm))
    return {
        "comment": item.resolved_comment.value,
        "beam": ", ".join(beam(state)),
        "condition": ", ".join(filter(None, settings(condition.fields))) if condition is not None else None,
        "measured": state.saved_local,
        "stage (mm)": ", ".join(f"{name} {value:.5g}" for name, value in place if value is not None),
        "operator": item.resolved_operator.value,
        "analysis": item.analysis.name if item.analysis is not None else None,
    }


def _row(number: int, item: Item) -> tuple[object, ...]:
    try:
        state = item.state
        kv, na, grating = _conditions(item)
        when = "" if state.saved_local is None else clock(state.saved_local)
        stage = (state.stage_x_mm, state.stage_y_mm, state.stage_z_mm)
        places = ("" if value is None else f"{value:.5g}" for value in stage)
        return (item.info.position_number or number, kv, na, grating, when, item.comment, *places)
    except (SxeslakeError, OSError, ValueError) as error:  # as in `line`
        return (number, "", "", "", "", str(error), "", "", "")


def _conditions(item: Item) -> tuple[str, str, str]:
    """kV, nA and grating as texts."""
    state, condition = item.state, item.condition
    kv, na = (
        "" if value is None else f"{value:.5g}" for value in (state.accelerating_voltage_kv, state.probe_current_na)
    )
    return kv, na, "" if condition is None else condition.fields.grating or ""


def _number(item: Item) -> str:
    try:
        number = item.info.position_number
    except (SxeslakeError, OSError, ValueError):  # as in `line`
        return ""
    return "" if number is None else f" {number}"


def _named_line(kind: str, name: Callable[[], str], group: str, say: Callable[[], Iterator[str]]) -> str:
    try:
        called = quoted(name())
    except (SxeslakeError, OSError, ValueError):  # as in `line`
        called = ""
    return line(f"{kind}{f' {called}' if called else ''}", group, say)


def _dtype(dtype: str) -> str:
    """`<u4` → `uint32`, as numpy names it; what is no such type as it stands."""
    kind, size = dtype[1:2], dtype[2:]
    return f"{_KINDS[kind]}{int(size) * 8}" if kind in _KINDS and size.isascii() and size.isdecimal() else dtype


def _sizes(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))

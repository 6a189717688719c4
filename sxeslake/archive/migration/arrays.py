"""`arrays.json` of positions: type, shape and axis of `xes` and `qlw`, where their size proves it. Pure.

Other data types are other programs' own: nothing is said of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from sxeslake.archive.migration.contents import DocumentChange, GroupContents, loses
from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.arrays import DERIVED_AXIS_ANGSTROM, DERIVED_AXIS_SETTING, QLW_CHANNELS
from sxeslake.archive.sxes.documents.fields import ConditionFields, mapping, read_condition, read_info
from sxeslake.archive.sxes.documents.text import dump
from sxeslake.archive.sxes.extensions.array_fields import ArrayAxis, array_json, size_problem

_XES: Final = "<u4"
_QLW: Final = "<f8"
_MOST_SIDE: Final = 1 << 20


def describe_arrays(group: GroupContents) -> Iterator[DocumentChange]:
    """`data/<uuid>/arrays.json`: equal bytes for positions that were measured alike."""
    conditions: dict[str | None, ConditionFields | None] = {None: None}
    known: dict[object, _Described] = {}
    for uuid, types in sorted(_types(group).items()):
        path = f"{layout.DATA}/{uuid}/{layout.ARRAYS}"
        document = group.document(path)
        if (path in group.sizes) != (document is not None) or (document is not None and loses(document) is not None):
            continue
        digest = read_info(group.fields(f"{layout.DATA}/{uuid}/{layout.INFO}")).condition_id
        if digest not in conditions:
            conditions[digest] = _condition(group, str(digest))
        key = digest, types.get("qlw"), types.get("xes")
        if key not in known:
            known[key] = _Described.of(_sure(types, conditions[digest]))
        entries, data = known[key]
        if document is not None:
            entries = {name: entry for name, entry in entries.items() if name not in document.fields}
            data = dump({**document.fields, **entries}, document.encoding)
        if entries:
            yield DocumentChange(path, f"{path}: {', '.join(entries)}", data)


class _Described(NamedTuple):
    """What is sure of the types of a position, and the `arrays.json` that says so: made once for all of one setting."""

    entries: dict[str, Any]
    data: bytes

    @classmethod
    def of(cls, entries: dict[str, Any]) -> _Described:
        return cls(entries, dump(entries))


def _types(group: GroupContents) -> dict[str, dict[str, int]]:
    """The sizes of `qlw` and `xes` of each position that has one."""
    found: dict[str, dict[str, int]] = {}
    for path, size in group.sizes.items():
        root, _, rest = path.partition("/")
        uuid, _, name = rest.partition("/")
        if root == layout.DATA and name in ("qlw.data", "xes.data") and path not in group.repeated:
            found.setdefault(uuid, {})[name.removesuffix(layout.TYPE_SUFFIX)] = size
    return found


def _condition(group: GroupContents, digest: str) -> ConditionFields | None:
    for path in layout.shared_candidates(layout.CONDITIONS, digest):
        if (fields := group.fields(path)) and mapping(fields.get("ccd")):
            return read_condition(fields)
    return None


def _sure(types: dict[str, int], condition: ConditionFields | None) -> dict[str, Any]:
    """What is sure of each type, by name in order."""
    found: dict[str, Any] = {}
    if "qlw" in types and size_problem(_QLW, (QLW_CHANNELS,), types["qlw"]) is None:
        found["qlw"] = array_json(_QLW, [QLW_CHANNELS], derived_axis=_wavelengths(condition))
    shape = _camera(condition)
    if "xes" in types and shape is not None and size_problem(_XES, shape, types["xes"]) is None:
        found["xes"] = array_json(_XES, shape)
    return found


def _camera(condition: ConditionFields | None) -> tuple[int, int] | None:
    """Rows and columns of `xes` after the camera's setting: one column beyond the signal."""
    if condition is None or condition.rows is None or condition.columns is None:
        return None
    sides = condition.rows, condition.columns + 1
    return sides if min(condition.rows, condition.columns) > 0 and math.prod(sides) < _MOST_SIDE**2 else None


def _wavelengths(condition: ConditionFields | None) -> ArrayAxis | None:
    """The fitted axis, for the setting that it was fitted on."""
    if condition is None or (condition.spectrometer, condition.grating) != DERIVED_AXIS_SETTING:
        return None
    start, step = DERIVED_AXIS_ANGSTROM
    return ArrayAxis("wavelength", "Å", start, step, method=f"fit {'/'.join(DERIVED_AXIS_SETTING)}")

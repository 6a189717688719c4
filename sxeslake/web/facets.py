"""Facets of the page Find: each condition's values with counts, every one a link that keeps the other choices."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sxeslake.web.links import Word, changed, link, toggled

_FEW: Final = 12
_CLASSES: Final = ((0.7, 1.5), (1.5, 3.5), (3.5, 7.0), (7.0, 15.0))  # currents are set to 1, 2, 5 or 10


@dataclass(frozen=True, slots=True)
class FacetValue:
    """One value: how many analyses have it, and the address with it chosen, or no longer chosen."""

    label: str
    count: int
    share: int  # of the largest count, 0 to 100
    is_chosen: bool
    href: str


@dataclass(frozen=True, slots=True)
class Facet:
    """One condition. A histogram has its values in their own order, a list the most frequent first."""

    name: str  # of the filter
    title: str
    values: Sequence[FacetValue]
    more: int = 0  # values that are not listed
    given: Sequence[str] = ()  # what the address says of it
    entry: str = ""  # the hint of its text field; empty for a list


@dataclass(frozen=True, slots=True)
class FacetKind:
    """How a facet is made: its filter, its title, the column that it counts."""

    name: str
    title: str
    column: str
    entry: str = ""  # for conditions that are typed, too


FACETS: Final = (
    FacetKind("kind", "Kind", "kind"),
    FacetKind("kv", "Accelerating voltage (kV)", "accelerating_voltage_kv", "5 or 4.9..5.1"),
    FacetKind("current_na", "Probe current (nA)", "probe_current_na", "100 or 90..110"),
    FacetKind("grating", "Grating", "grating"),
    FacetKind("spectrometer", "Spectrometer", "spectrometer"),
    FacetKind("instrument", "Instrument", "instrument"),
    FacetKind("operator", "Operator", "operator"),
    FacetKind("project", "Project", "project"),
    FacetKind("since", "Acquired", "acquired_local"),
)


Counts = Sequence[tuple[Any, int]]
"""Values of a column, each with the number of rows that have it."""


def counted(column: Any, kind: FacetKind) -> Counts:
    """The values of an Arrow column as a facet shows them: voltages to three figures, currents in classes, years."""
    import pyarrow.compute as pc  # noqa: PLC0415 - heavy, and loaded by then

    known = column.drop_null()
    if kind.name == "since":
        years = pc.value_counts(pc.year(known)).to_pylist()
        if len(years) != 1:
            return sorted((f"{each['values']:04}", each["counts"]) for each in years)
        known = pc.add(pc.multiply(pc.year(known), 100), pc.month(known))
        months = pc.value_counts(known).to_pylist()
        return sorted((f"{each['values'] // 100:04}-{each['values'] % 100:02}", each["counts"]) for each in months)
    found: Counter[Any] = Counter()
    for each in pc.value_counts(known).to_pylist():
        value = each["values"]
        if kind.name == "kv":
            value = float(f"{value:.3g}")
        elif kind.name == "current_na":
            value = _class_of(value) if value > 0 else None
        if value is not None:
            found[value] += each["counts"]
    if kind.entry:
        return sorted(found.items())
    return sorted(found.items(), key=lambda pair: (-pair[1], str(pair[0]).casefold()))


def facet_of(kind: FacetKind, counts: Counts, words: Sequence[Word]) -> Facet:
    """A facet over what `counted` found in the rows that all other choices leave."""
    given = [value for name, value in words if name == kind.name and value]
    if kind.name == "kv":
        bars = [(f"{value:g}", f"{value:g}", count) for value, count in counts]
        return Facet(kind.name, kind.title, _single(kind, bars, given, words), 0, given, kind.entry)
    if kind.name == "current_na":
        bars = [(f"{low:g}–{high:g}", f"{low:g}..{high:g}", count) for (low, high), count in counts]
        return Facet(kind.name, kind.title, _single(kind, bars, given, words), 0, given, kind.entry)
    if kind.name == "since":
        return _times(kind, counts, words)
    shown = [pair for number, pair in enumerate(counts) if number < _FEW or pair[0] in given]
    known = {value for value, _ in counts}
    shown += [(value, 0) for value in given if value not in known]
    most = max((count for _, count in shown), default=1) or 1
    listed = [
        FacetValue(str(value), count, _share(count, most), value in given, _found(toggled(words, kind.name, value)))
        for value, count in shown
    ]
    return Facet(kind.name, kind.title, listed, max(0, len(counts) - len(shown)), given)


def annotation_facet(rows: Iterable[Mapping[str, Any]], words: Sequence[Word]) -> Facet:
    """The annotations in use, `role=standard`."""
    found = [(f"{row['key']}={row['value']}", int(row["analyses"])) for row in rows]
    given = [value for name, value in words if name == "annotation" and value]
    shown = found[:_FEW] + [pair for pair in found[_FEW:] if pair[0] in given]
    shown += [(value, 0) for value in given if value not in dict(found)]
    most = max((count for _, count in shown), default=1) or 1
    listed = [
        FacetValue(text, count, _share(count, most), text in given, _found(toggled(words, "annotation", text)))
        for text, count in shown
    ]
    return Facet("annotation", "Annotation", listed, max(0, len(found) - len(shown)), given, "role=standard")


def _single(
    kind: FacetKind, bars: Sequence[tuple[str, str, int]], given: Sequence[str], words: Sequence[Word]
) -> list[FacetValue]:
    """Bars of a histogram, of which one is chosen at a time: label, value of the filter, count."""
    most = max((count for _, _, count in bars), default=1) or 1
    return [
        FacetValue(
            label, count, _share(count, most), value in given,
            _found(changed(words, **{kind.name: None if value in given else value})),
        )
        for label, value, count in bars
    ]  # fmt: skip


def _class_of(value: float) -> tuple[float, float]:
    """The class around a current; its middle is a round value, so that 99.97 and 100.02 nA fall together."""
    power = 10.0 ** math.floor(math.log10(value) + 1e-9)
    low, high = next(ends for ends in _CLASSES if value < ends[1] * power)
    return float(f"{low * power:.6g}"), float(f"{high * power:.6g}")


def _times(kind: FacetKind, counts: Counts, words: Sequence[Word]) -> Facet:
    """By year, or by month where all lies within one; a bar sets both ends."""
    most = max((count for _, count in counts), default=1)
    given = [value for name, value in words if name in ("since", "until") and value]
    bars = []
    for label, count in counts:
        is_chosen = given == [label, label]
        ends = {"since": None, "until": None} if is_chosen else {"since": label, "until": label}
        bars.append(FacetValue(label, count, _share(count, most), is_chosen, _found(changed(words, **ends))))
    return Facet(kind.name, kind.title, bars[-24:], max(0, len(bars) - 24), given, "2018-04")


def _share(count: int, most: int) -> int:
    return max(2, round(100 * count / most)) if count else 0


def _found(words: Sequence[Word]) -> str:
    return link("find", words)

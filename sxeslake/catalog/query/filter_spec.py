"""The filters there are, declared once: parsing, SQL, command-line options and their help all follow this table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from sxeslake.catalog.query.quantity import Tolerance

FilterType = Literal["range", "text", "words", "kind", "types", "integer", "since", "until", "said"]

KINDS: Final = ("point", "repeat", "line", "map", "points")
ANY: Final = "any"
"""`kind=any` lifts a query's own default."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter: its name (`current_na`, on the command line `--current-na`), type, column and help."""

    name: str
    type: FilterType
    column: str
    label: str
    help: str
    unit: str | None = None
    tolerance: Tolerance | None = None
    plural: str | None = None  # the analyses' column that lists every value which occurs
    inherited: bool = False  # a position without one of its own has its analysis'
    contains: bool = False  # a part of the text is enough
    several: bool = False  # may be given more than once

    @property
    def option(self) -> str:
        """`--current-na`."""
        return f"--{self.name.replace('_', '-')}"


_RANGE: Final = "a..b, ..b, a.. or one value within the tolerance"
FILTERS: Final = (
    Filter("kv", "range", "accelerating_voltage_kv", "accelerating voltage", f"Accelerating voltage in kV: {_RANGE}.",
           unit="kV", tolerance=Tolerance(0.05)),
    Filter("current_na", "range", "probe_current_na", "probe current", f"Probe current in nA: {_RANGE}.",
           unit="nA", tolerance=Tolerance(5, percent=True)),
    Filter("target_current_na", "range", "probe_current_target_na", "target current",
           f"Set probe current, in nA: {_RANGE}.", unit="nA", tolerance=Tolerance(5, percent=True)),
    Filter("grating", "text", "grating", "grating", "Diffraction grating, JS300N or JS*.", plural="gratings",
           several=True),
    Filter("spectrometer", "text", "spectrometer", "spectrometer", "Spectrometer, XES300N.", plural="spectrometers",
           several=True),
    Filter("instrument", "text", "instrument", "instrument", "Instrument, JXA-8530F.", several=True),
    Filter("operator", "text", "operator", "operator", "Operator, or a part of the name.", plural="operators",
           inherited=True, contains=True, several=True),
    Filter("project", "text", "project", "project", "Project, or a part of its name.", contains=True, several=True),
    Filter("sample", "text", "sample", "sample", "Sample name, or a pattern such as 2018/*.", several=True),
    Filter("text", "words", "", "text", "Words that all occur in names, comments, operator, project or sample."),
    Filter("kind", "kind", "kind", "kind", f"Kind of analysis: {', '.join(KINDS)} or any.", several=True),
    Filter("accumulation", "range", "accumulation", "accumulation", "Summed frames: a number or a..b."),
    Filter("type", "types", "types", "data type", "Data type that must be there: xes, qlw, sum …", several=True),
    Filter("min_positions", "integer", "positions", "positions at least", "Analyses of at least N positions."),
    Filter("since", "since", "acquired_local", "since", "Acquired on or after 2018-04, yesterday, 'last week' ..."),
    Filter("until", "until", "acquired_local", "until", "Acquired on or before 2018-04, yesterday ..."),
    Filter("annotation", "said", "", "annotation", "Annotations: role=standard, material=Ti*, or a key alone.",
           several=True),
)  # fmt: skip
BY_NAME: Final = {each.name: each for each in FILTERS}

CURRENTS: Final = ("current_na", "target_current_na")
SETTINGS: Final = {
    "match": "all: every position of an analysis fits; any: one does.",
    "kv_tolerance": "Tolerance of a single accelerating voltage, in kV.",
    "current_tolerance": "Tolerance of a single current, in percent.",
    "copies": "Count every copy of a measurement, not each measurement once.",
}
"""Words beside the filters that say how they are taken."""

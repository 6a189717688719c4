"""The shared filters as typed keywords, for editors and type checkers, and their help."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, TypedDict, TypeVar

Range = float | str | tuple[float | None, float | None]
"""`5`, `"4.9..5.1"`, `"5 kV"`, `(4.9, None)`: one number within the tolerance, or a range with an open end."""

Texts = str | Sequence[str]
"""One text or alternatives; `*` and `?` are wildcards, case does not matter."""

Date = str | dt.date | dt.datetime
"""`"2018"`, `"2018-04"`, `"yesterday"`, `"last week"`, `datetime.date(2018, 4, 12)`."""


class FilterWords(TypedDict, total=False):
    """The filters of `query`, `maps`, `positions`, `find`, `conditions` and `pull_part`; None chooses nothing.

    Examples
    --------
    >>> words: sxeslake.FilterWords = {"kv": 5, "grating": ["JS300N", "JS50*"]}
    >>> len(lake.maps(**words))
    1
    """

    kv: Range | None
    current_na: Range | None
    target_current_na: Range | None
    grating: Texts | None
    spectrometer: Texts | None
    instrument: Texts | None
    operator: Texts | None
    project: Texts | None
    sample: Texts | None
    text: Texts | None
    kind: Texts | None
    accumulation: Range | None
    type: Texts | None
    min_positions: int | str | None
    since: Date | None
    until: Date | None
    annotation: Texts | None
    match: Literal["all", "any"]
    kv_tolerance: float | str | None
    current_tolerance: float | str | None
    copies: bool | None


_MethodT = TypeVar("_MethodT", bound=Callable[..., Any])

_HELP: Final = """
        Parameters
        ----------
        kv : number, str or tuple, in kV
            Accelerating voltage: `5` (± 0.05), `"4.9..5.1"`, `"5±0.1"`, `(4.9, None)`.
        current_na, target_current_na : number, str or tuple, in nA
            Probe current as measured, and as it was set: `100` (± 5 %), `"90..110"`, `"0.1 µA"`.
        grating, spectrometer, instrument : str or list of str
            `"JS300N"`, `"JS*"`, `["JS300N", "JS50*"]`: any of them; case does not matter.
        operator, project : str or list of str
            The name, or a part of it.
        sample : str or list of str
            The sample's name, or a pattern, `"2018/*"`.
        text : str or list of str
            Words that all occur in names, comments, operator, project or sample.
        kind : str or list of str
            `"point"`, `"repeat"`, `"line"`, `"map"`, `"points"`; `"any"` lifts a question's own choice.
        accumulation : number, str or tuple, in frames
            Summed frames.
        type : str or list of str
            Data types that must be there: `"xes"`, `"qlw"`, `"sum"`.
        min_positions : int
            The least number of positions of an analysis.
        since, until : str, date or datetime
            Acquired on or after, on or before: `"2018-04"`, `"yesterday"`, `datetime.date(2018, 4, 12)`.
        annotation : str or list of str
            Annotations: `"role=standard"`, `"material=Ti*"`, or a key alone.
        copies : bool
            Show every copy of a measurement; otherwise each measurement comes once.
        match : "all" or "any"
            Whether all positions of an analysis must fit, or one.
        kv_tolerance : number, in kV
            Tolerance of a single accelerating voltage.
        current_tolerance : number, in percent
            Tolerance of a single current.
        **filters
            These, as keywords.

        Returns
        -------
        Result
            The rows; as Arrow, pandas, polars or plain Python.

        Raises
        ------
        UsageError
            For an unknown filter, or a value that cannot be read, with what was meant.
"""


def with_filters(method: _MethodT) -> _MethodT:
    """Put the filters into the method's help, before its example."""
    if method.__doc__:
        text, heading, example = method.__doc__.partition("\n        Examples\n")
        method.__doc__ = f"{text.rstrip()}\n{_HELP}{heading}{example}"
    return method

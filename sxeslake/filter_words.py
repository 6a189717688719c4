"""The shared filters as typed keywords: what an editor completes and a type checker holds calls to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Literal, TypedDict

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

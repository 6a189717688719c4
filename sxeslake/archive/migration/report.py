"""What a migration tells of one archive."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sxeslake.text.html import HtmlRecord

MigrationStatus = Literal["migrated", "planned", "unchanged", "failed"]


@dataclass(frozen=True, slots=True)
class MigrationStep(HtmlRecord):
    """A step that has something to change.

    Attributes
    ----------
    step : str
        Its name.
    form : str
        The form of the format that it leads to.
    does : str
        What it does, in a sentence.
    changes : int
        How many members it changes or adds.
    examples : list of str
        Some of them, in words.

    Examples
    --------
    >>> (report,) = lake.migrate("map", dry_run=True)
    >>> [(step.step, step.changes) for step in report.steps]
    [('maps', 2), ('arrays', 12), ('extensions', 1)]
    """

    step: str
    form: str
    does: str
    changes: int
    examples: list[str]


@dataclass(slots=True)
class MigrationReport(HtmlRecord):
    """What became of one archive.

    Attributes
    ----------
    status : {"migrated", "planned", "unchanged", "failed"}
        ``"planned"`` is of a dry run; ``"unchanged"``: it has that form already.
    form : str
        The form that was asked for.
    sample, version : str and int, or None
        Of a version of the lake.
    path : str or None
        Of a file.
    to_version, commit : int or None
        The new version, or the one that has this content already, and the commit that added it.
    out : str or None
        The new file.
    members : int
        How many members are changed or added.
    bytes_written : int
        Bytes of those members.
    steps : list of MigrationStep
        What is changed, in order.
    error : str or None
        Why it failed.
    exit_code : int
        Of the error, as the command line has it; 0 where there is none.

    Examples
    --------
    >>> (report,) = lake.migrate("map")
    >>> report.status, report.to_version, report.form
    ('migrated', 2, '0.1.0+maps+arrays')
    """

    status: MigrationStatus
    form: str
    sample: str | None = None
    version: int | None = None
    path: str | None = None
    to_version: int | None = None
    commit: int | None = None
    out: str | None = None
    members: int = 0
    bytes_written: int = 0
    steps: list[MigrationStep] = field(default_factory=list)
    error: str | None = None
    exit_code: int = 0

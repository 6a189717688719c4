"""Selection: a part of one version as an archive of its own, valid by itself. Pure: from a share to an assembly."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.text import dump
from sxeslake.errors import LimitExceededError, UsageError
from sxeslake.model import GIB, ContainerKind
from sxeslake.pull.part.assembly import Assembly, Carried, GeneratedMember, VersionPart, made_from
from sxeslake.pull.part.share import Share
from sxeslake.text.html import HtmlRecord

_LOG = logging.getLogger(__name__)

MOST_POSITIONS = 1_000_000
MOST_BYTES = 256 * GIB


@dataclass(frozen=True, slots=True)
class Budget:
    """What a selection or a merge may grow to; a pull that would be larger says so before it moves a byte.

    Attributes
    ----------
    positions : int
        Positions.
    bytes_raw : int
        Bytes, unpacked.

    Examples
    --------
    >>> lake.pull_part("map", types=["qlw"], budget=sxeslake.Budget(positions=2), dry_run=True)
    Traceback (most recent call last):
    ...
    sxeslake.errors.LimitExceededError: ...
    """

    positions: int = MOST_POSITIONS
    bytes_raw: int = MOST_BYTES

    @classmethod
    def of(
        cls, max_positions: int | None = None, max_bytes: int | None = None, *, budget: Budget | None = None
    ) -> Budget:
        """Make one from what is given; the rest as by default.

        Parameters
        ----------
        max_positions : int, optional
            Positions.
        max_bytes : int, optional
            Bytes, unpacked.
        budget : Budget, optional
            All of it; then there is nothing else.

        Returns
        -------
        Budget
            The limits.

        Raises
        ------
        UsageError
            If `budget` is given with others.

        Examples
        --------
        >>> sxeslake.Budget.of(max_bytes=1000).bytes_raw
        1000
        """
        if budget is None:
            return cls(max_positions or MOST_POSITIONS, MOST_BYTES if max_bytes is None else max_bytes)
        if max_positions is not None or max_bytes is not None:
            raise UsageError("a budget is given, and a limit of another.", hint="Put both limits into the budget.")
        return budget


@dataclass(frozen=True, slots=True)
class SelectionReport(HtmlRecord):
    """What was chosen and, unless it was a dry run, where it is now.

    `bytes_fetch` and `requests` estimate what comes over the wire for the members, beside what planning took.

    Attributes
    ----------
    sample : str or None
        The sample's name; None where it came from several.
    version : int or None
        Its version's number.
    path : str or None
        The file or folder; None for a dry run.
    container : ContainerKind
        ``"zip"``, ``"7z"`` or ``"folder"``.
    members : int
        Files and folders.
    bytes_raw : int
        Bytes, unpacked.
    bytes_written : int or None
        Bytes of what was written.
    sha256 : str or None
        SHA-256 of the file; None for a folder.
    renamed : list of (str, str)
        Names that this system cannot hold, and under which they are.
    positions : int
        How many positions it has.
    analyses : int
        How many analyses it has.
    samples : list of str
        The versions that it is made of.
    bytes_fetch : int
        Bytes that are fetched for the members, estimated.
    requests : int
        Requests that this takes, estimated.
    dry_run : bool
        Whether nothing was changed.
    warnings : list of str
        What is odd, in words.
    annotations : str or None
        The file beside it with annotations; None where there are none.

    Examples
    --------
    >>> report = lake.pull_part("map", positions=["1"], dry_run=True)
    >>> report.positions, report.requests
    (1, 3)
    """

    sample: str | None
    version: int | None
    path: str | None
    container: ContainerKind
    members: int
    bytes_raw: int
    bytes_written: int | None
    sha256: str | None
    renamed: list[tuple[str, str]]
    positions: int
    analyses: int
    samples: list[str]
    bytes_fetch: int
    requests: int
    dry_run: bool
    warnings: list[str]
    annotations: str | None = None


def select(share: Share) -> Assembly:
    """The archive that a share of one version makes."""
    name = share.version.name
    made: dict[str, GeneratedMember] = {}
    if share.outline is not None and share.metadata_member is not None:
        same = share.metadata_raw != b"" and share.metadata == share.outline.fields
        raw = share.metadata_raw if same else dump(share.metadata, share.outline.encoding)
        _LOG.debug("%s: %s is %s", name, layout.METADATA, "copied" if same else "pruned to the part")
        made = {layout.METADATA: made_from(share.metadata_member, layout.METADATA, raw), **share.extras.made}
    return Assembly(
        title=f"part of {name}",
        kind="sxes" if made or layout.METADATA in share.table["path"].to_pylist() else "generic",
        parts=[VersionPart(share.rows, share.table)],
        made=made,
        positions=len(share.positions),
        analyses=len(share.choice.analyses) if share.choice else 0,
        carried=[Carried(share.version, _placed(share))],
    )


def _placed(share: Share) -> Callable[[str, str], str | None]:
    """See `Carried`: what is taken keeps its UUID. Of members taken by their paths everything that is said stays."""
    if share.choice is None:
        return lambda _, uuid: uuid
    entries = share.metadata.get("analyses")
    analyses = [str(entry.get("uuid")) for entry in entries] if isinstance(entries, list) else []
    there = {"position": set(share.positions), "analysis": set(analyses)}
    return lambda target, uuid: uuid if uuid in there.get(target, ()) else None


def check_budget(assembly: Assembly, budget: Budget) -> None:
    """LimitExceededError where an assembly is larger than it may be."""
    for name, size, most, option in (
        ("positions", assembly.positions, budget.positions, "--max-positions"),
        ("bytes", assembly.bytes_raw, budget.bytes_raw, "--max-bytes"),
    ):
        if size > most:
            raise LimitExceededError(
                f"this would be {size:,} {name}, more than the {most:,} allowed.",
                where=assembly.title,
                hint=f"Narrow it, or allow more with {option}. Nothing was moved.",
            )

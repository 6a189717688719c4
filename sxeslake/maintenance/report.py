"""What upkeep tells."""

from __future__ import annotations

from dataclasses import dataclass, field

from sxeslake.text.html import HtmlRecord


@dataclass(frozen=True, slots=True)
class Problem(HtmlRecord):
    """Something wrong: what kind, in which object, in words, and which archives it touches."""

    kind: str
    object: str
    detail: str
    affects: list[str]


@dataclass(slots=True)
class Checked(HtmlRecord):
    """How much was looked at."""

    log_entries: int = 0
    manifests: int = 0
    packs: int = 0
    blobs: int = 0
    bytes: int = 0


@dataclass(slots=True)
class VerifyReport(HtmlRecord):
    """Whether a lake holds what it promises; `ok` only where all that was asked for was read and nothing is wrong.

    Attributes
    ----------
    ok : bool
        Whether all is right, and all was read that was asked for.
    checked : Checked
        What was read.
    problems : list of Problem
        What is wrong.
    complete : bool
        False where the time was up before every pack had been read.
    passed_over : int
        Packs that an earlier run has verified.
    packs_read : int
        Packs of which every byte, or the sample, was read.
    packs_unread : int
        Packs that were asked for and not read, as the time was up.
    seed : int or None
        Chooses the same sample again.
    notes : list of str
        What was wrong with this machine's cache, and is not any more.

    Examples
    --------
    >>> report = lake.verify()
    >>> report.ok, report.problems
    (True, [])
    """

    ok: bool = True
    checked: Checked = field(default_factory=Checked)
    problems: list[Problem] = field(default_factory=list)
    complete: bool = True
    passed_over: int = 0
    packs_read: int = 0
    packs_unread: int = 0
    seed: int | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Mended(HtmlRecord):
    """Something that a repair put right, or would."""

    kind: str
    object: str
    detail: str


@dataclass(frozen=True, slots=True)
class Lost(HtmlRecord):
    """What cannot be repaired: of which archive (or object), which member (None: all of it), and why."""

    archive: str
    member: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class OfferFault(HtmlRecord):
    """Something offered to a repair that cannot be read; no fault of the lake."""

    offer: str
    detail: str


@dataclass(slots=True)
class RepairReport(HtmlRecord):
    """What a repair found and did; `ok` where nothing is left that is wrong with the lake, whatever the offers are.

    Attributes
    ----------
    ok : bool
        Whether all is right now.
    dry_run : bool
        Whether nothing was changed.
    commit : int or None
        The commit; None where nothing was changed.
    problems : int
        How many were found.
    mended : list of Mended
        What was repaired.
    lost : list of Lost
        What cannot be repaired, by archive and member.
    offer_faults : list of OfferFault
        Offers that could not be used.

    Examples
    --------
    >>> report = lake.repair(dry_run=True)
    >>> report.ok, report.mended, report.lost
    (True, [], [])
    """

    ok: bool = True
    dry_run: bool = False
    commit: int | None = None
    problems: int = 0
    mended: list[Mended] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    offer_faults: list[OfferFault] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Copied(HtmlRecord):
    """What became of one version: `copied`, `present` (it was there), `failed`; and its number in the target."""

    sample: str
    version: int
    to_version: int | None
    status: str
    error: str | None = None


@dataclass(slots=True)
class CopyReport(HtmlRecord):
    """What a copy came to.

    Attributes
    ----------
    source : str
        URL of the lake that is copied from.
    target : str
        URL of the lake that is copied to.
    commits : list of int
        Commits in the target.
    tags : int
        Tags that came along.
    annotations : int
        Annotations that came along.
    archives : list of Copied
        What became of each version.
    dry_run : bool
        Whether nothing was changed.
    bytes_raw : int
        Bytes of content, unpacked, that the target lacked.
    calibrations : int
        Calibrations that came along with a whole lake.
    bytes_written : int
        Bytes of the packs that were written for it.

    Examples
    --------
    >>> with sxeslake.init("memory://another") as other:
    ...     report = lake.copy_to(other, dry_run=True)
    >>> [row.status for row in report.archives]
    ['copied']
    """

    source: str
    target: str
    commits: list[int] = field(default_factory=list)
    tags: int = 0
    annotations: int = 0
    archives: list[Copied] = field(default_factory=list)
    dry_run: bool = False
    bytes_raw: int = 0
    calibrations: int = 0
    bytes_written: int = 0

    @property
    def failed(self) -> bool:
        """Whether an archive could not be copied."""
        return any(row.status == "failed" for row in self.archives)


@dataclass(frozen=True, slots=True)
class Stats(HtmlRecord):
    """A lake in figures.

    Attributes
    ----------
    samples : int
        Samples.
    archives : int
        Versions.
    members : int
        Members of them all.
    bytes_source : int
        Bytes of the original files.
    bytes_raw : int
        Bytes of all members, unpacked.
    blobs : int
        Different contents.
    bytes_unique_raw : int
        Their bytes, unpacked.
    bytes_stored : int
        Bytes of packs, manifests and log.
    objects : int
        Objects in the bucket.
    packs : int
        Packs.
    log_head : int
        The newest commit.
    bytes_derived : int
        Bytes of everything else in the bucket, which can be made again.

    Examples
    --------
    >>> stats = lake.stats()
    >>> stats.samples, stats.archives
    (1, 1)
    """

    samples: int
    archives: int
    members: int
    bytes_source: int
    bytes_raw: int
    blobs: int
    bytes_unique_raw: int
    bytes_stored: int
    objects: int
    packs: int
    log_head: int
    bytes_derived: int = 0


@dataclass(frozen=True, slots=True)
class Check(HtmlRecord):
    """One thing that `doctor` looked at.

    Attributes
    ----------
    name : str
        What was checked.
    ok : bool
        Whether it is right.
    detail : str
        The result, in words.
    hint : str or None
        What to do.
    damage : bool
        Whether the lake has lost something.

    Examples
    --------
    >>> [check.name for check in lake.doctor() if check.damage]
    []
    """

    name: str
    ok: bool
    detail: str
    hint: str | None = None
    damage: bool = False

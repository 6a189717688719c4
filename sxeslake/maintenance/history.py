"""The history of a lake, or of one sample: who did what, and when."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sxeslake.archive.times import Moment
from sxeslake.format import keys, logentry
from sxeslake.format.logentry import Entry
from sxeslake.text.html import HtmlRecord, clock
from sxeslake.text.safe import visible
from sxeslake.vault import refs
from sxeslake.vault.log.state import LogState

_NAMED = 3  # archives that a line names
_AT_ONCE = 200  # entries read from the local database


@dataclass(frozen=True, slots=True, repr=False)
class LogRow(HtmlRecord):
    """One commit: `what` says in words what was done, `archives` to which versions (`ti-grains@2`).

    Attributes
    ----------
    number : int
        The commit's number.
    time : datetime
        When, UTC.
    who : str
        The person.
    host : str
        The machine.
    tool : str
        The software.
    message : str or None
        Why, as the person said.
    what : list of str
        What was done, in words.
    archives : list of str
        To which versions, ``ti-grains@2``.
    packs_added : int
        Packs that it added.
    packs_condemned : int
        Packs that it condemned.

    Examples
    --------
    >>> row = next(lake.log())
    >>> row.number, row.archives
    (1, ['map@1'])
    """

    number: int
    time: datetime
    who: str
    host: str
    tool: str
    message: str | None
    what: list[str]
    archives: list[str]
    packs_added: int
    packs_condemned: int

    def __repr__(self) -> str:
        archives = f" {', '.join(self.archives[:_NAMED])}" + (", …" if len(self.archives) > _NAMED else "")
        what = ", ".join(self.what)
        return visible(f"<Commit {self.number}, {clock(self.time)}, {self.who}: {what}{archives.rstrip()}>")


Fits = Callable[[str, int | None], bool]
"""Whether a sample and version are meant; the version is None where something is of all of them."""


def history(state: LogState, patterns: Sequence[str] = (), limit: int | None = None) -> Iterator[LogRow]:
    """Commits, newest first; with names, NAME@V or globs those that touched them, which alone are named."""
    given = 0
    each = [_fitting(state, pattern) for pattern in patterns]

    def fits(sample: str, version: int | None) -> bool:
        return any(one(sample, version) for one in each)

    for entry in _newest_first(state):
        row = row_of(entry, fits if each else None)
        if row is not None:
            if given == limit:
                return
            given += 1
            yield row


def _fitting(state: LogState, pattern: str) -> Fits:
    """What one pattern means; a name that was ever there is no pattern."""
    if refs.is_pattern(state, pattern):
        return lambda sample, _: fnmatch.fnmatchcase(sample, pattern)
    name, at, word = pattern.rpartition("@")
    was_there = state.select("SELECT 1 FROM versions WHERE sample = ? LIMIT 1", (pattern,))
    if was_there or not (name and at and word):
        return lambda sample, _: sample == pattern
    number = refs.number_of(state, refs.Ref(name, word))
    is_known = bool(state.select("SELECT 1 FROM versions WHERE sample = ? AND version = ?", (name, number)))
    return lambda sample, version: is_known and sample == name and version in (None, number)


def row_of(entry: Entry, fits: Fits | None = None) -> LogRow | None:
    """A commit as a row; None where it touched no sample that fits."""
    what: dict[str, None] = {}  # in order, each once
    archives: dict[str, None] = {}
    for word, sample, version in _deeds(entry):
        if fits is None or fits(sample, version):
            what[word] = None
            archives[f"{sample}@{version}" if version is not None else sample] = None
    if fits is None:
        for item in entry.calibrations:
            what[f"calibration {item['id']} {'removed' if item.get('calibration') is None else 'added'}"] = None
    if fits is not None and not what:
        return None
    if entry.condemned_packs or entry.condemned_manifests:
        what["condemned"] = None
    return LogRow(
        entry.number, Moment.parse(entry.time), entry.who, entry.host, entry.tool, entry.message, list(what),
        list(archives), len(entry.packs), len(entry.condemned_packs),
    )  # fmt: skip


def _deeds(entry: Entry) -> Iterator[tuple[str, str, int | None]]:
    for archive in entry.archives:
        yield "added", archive.sample, archive.version
    for word, versions in (
        ("forgotten", entry.forgotten), ("restored", entry.restored), ("collected", entry.collected)
    ):  # fmt: skip
        for sample, version in versions:
            yield word, sample, version
    for moved in entry.moved:
        yield "table rewritten", moved.sample, moved.version
    for tag in entry.tags:
        yield _mark(tag.get("kind", "tag"), tag.get("action", "add"), tag["tag"]), tag["sample"], tag.get("version")
    for annotation in entry.annotations:
        if "sample" in annotation:
            yield "annotated", str(annotation["sample"]), None
    for path in entry.paths:
        yield "path added", str(path["sample"]), path["version"]


def _mark(kind: str, action: str, tag: str) -> str:
    if kind == "hold":
        return "released" if action == "remove" else "held"
    return f"tag {tag} removed" if action == "remove" else f"tagged {tag}"


def _newest_first(state: LogState) -> Iterator[Entry]:
    below = state.head().number + 1
    while below > 1:
        sql = "SELECT number, data, body FROM entries WHERE number < ? ORDER BY number DESC LIMIT ?"
        for number, data, body in state.select(sql, (below, _AT_ONCE)):
            below = number
            if data:  # an entry that is lost has left an empty place
                yield state.counted(logentry.load(data, body, where=keys.log_key(number)))

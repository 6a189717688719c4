"""Forget versions, by name or by rule, and take it back: marks in the log; `gc` frees the room."""

from __future__ import annotations

import fnmatch
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby

from sxeslake.archive.times import Moment
from sxeslake.errors import ConflictError, SampleNotFoundError, UsageError
from sxeslake.format.logentry import Entry
from sxeslake.maintenance.retention import clock
from sxeslake.maintenance.retention.clock import FAR, StoredAt
from sxeslake.maintenance.retention.durations import TimeSpan, moment
from sxeslake.text.html import HtmlRecord
from sxeslake.text.wording import said
from sxeslake.vault import refs
from sxeslake.vault.log.commit import blank_entry
from sxeslake.vault.log.state import Head, LogState, Version
from sxeslake.vault.vault import Vault

_LOG = logging.getLogger(__name__)

_NAMED = 5  # versions and commits that a message lists
BY_BUCKET = "within the span by the bucket's clock"


@dataclass(frozen=True, slots=True)
class Policy:
    """What to keep of each sample: whatever any rule keeps. `keep_within` counts back from its newest version."""

    keep_last: int | None = None
    keep_within: TimeSpan | None = None

    def __bool__(self) -> bool:
        return self.keep_last is not None or self.keep_within is not None


@dataclass(frozen=True, slots=True)
class Judged(HtmlRecord):
    """A version, and why it stays; None where it goes."""

    sample: str
    version: int
    ingested_at: datetime
    name: str
    bytes_source: int
    kept_because: str | None = None


@dataclass(slots=True)
class ForgetReport(HtmlRecord):
    """What was forgotten, or would be; what the rules keep.

    Attributes
    ----------
    dry_run : bool
        Whether nothing was changed.
    commit : int or None
        The commit; None where nothing was changed.
    forgotten : list of Judged
        What is forgotten.
    kept : list of Judged
        What stays, and why.
    doubtful : list of str
        Whose clock is not believed, and what stays for that.

    Examples
    --------
    >>> report = lake.forget("map", keep_last=1)
    >>> [(row.version, row.kept_because) for row in report.kept]
    [(1, 'among the last')]
    """

    dry_run: bool
    commit: int | None = None
    forgotten: list[Judged] = field(default_factory=list)
    kept: list[Judged] = field(default_factory=list)
    doubtful: list[str] = field(default_factory=list)


@dataclass(slots=True)
class RestoreReport(HtmlRecord):
    """What is back; `warnings` name what is not, for `gc` has collected it.

    Attributes
    ----------
    commit : int or None
        The commit; None where nothing was changed.
    restored : list of Judged
        What is back.
    warnings : list of str
        What is not, for `gc` has collected it.

    Examples
    --------
    >>> report = lake.forget("map")
    >>> lake.restore("map").warnings
    []
    """

    commit: int | None = None
    restored: list[Judged] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def forget(
    vault: Vault, texts: Sequence[str], policy: Policy, *, dry_run: bool, tool: str, message: str | None = None
) -> ForgetReport:
    """Mark versions as forgotten: those named, or those that no rule keeps. A held or tagged version refuses."""
    if policy and any(refs.parse(text).version is not None for text in texts):
        raise UsageError("a rule keeps versions of a whole sample.", hint="Name the sample, without `@`.")
    if policy.keep_last is not None and policy.keep_last < 1:
        raise UsageError("--keep-last keeps one version or more.")
    vault.sync()
    report = ForgetReport(dry_run)
    blank = blank_entry(tool, message)

    def build(head: Head) -> Entry | None:
        stored_at = StoredAt(vault.store, vault.state) if policy.keep_within is not None else None
        versions = chosen(vault.state, texts)
        report.forgotten, report.kept = judge(vault.state, versions, policy, stored_at)
        report.doubtful = [] if stored_at is None else _doubtful(versions, report.kept, stored_at)
        _LOG.info("%d versions to forget, %d kept", len(report.forgotten), len(report.kept))
        for row in report.kept:
            _LOG.debug("%s@%d is kept: %s", row.sample, row.version, row.kept_because)
        if not report.forgotten:
            return None
        going = tuple((row.sample, row.version) for row in report.forgotten)
        return replace(blank, number=head.number + 1, previous=head.digest, forgotten=going)

    if dry_run:
        build(vault.state.head())
        return report
    record = vault.commit(build)
    report.commit = record.entry.number if record else None
    return report


def judge(
    state: LogState, versions: Sequence[Version], policy: Policy, stored_at: StoredAt | None = None
) -> tuple[list[Judged], list[Judged]]:
    """Which versions go, which stay. ConflictError where something marked was named outright."""
    going: list[Judged] = []
    kept: list[Judged] = []
    for sample, group in groupby(versions, key=lambda version: version.sample):
        marks, own = state.marks(sample), list(group)
        for version, reason in zip(own, rules_keep(own, policy, stored_at), strict=True):
            why = reason or _marked(marks.get(version.version, []))
            (kept if why else going).append(_judged(version, why))
    if kept and not policy:
        marked = ", ".join(f"{row.sample}@{row.version} ({row.kept_because})" for row in kept)
        raise ConflictError(
            f"held or tagged, and not to be forgotten: {marked}.",
            hint="`sxeslake release` and `sxeslake tag --remove` take that back. Nothing was forgotten.",
        )
    return going, kept


def rules_keep(versions: Sequence[Version], policy: Policy, stored_at: StoredAt | None = None) -> list[str | None]:
    """For each version of one sample, from old to new, the rule that keeps it.

    Where clients and bucket differ about the time, a version is kept by either.
    """
    reasons: list[str | None] = [None] * len(versions)
    if policy.keep_within is not None:
        claimed = _within(policy.keep_within, [moment(version.time) for version in versions])
        reasons = ["within the span" if is_within else None for is_within in claimed]
        if stored_at is not None:
            proved = _within(policy.keep_within, [stored_at.of(version) for version in versions])
            reasons = [reason or (BY_BUCKET if own else None) for reason, own in zip(reasons, proved, strict=True)]
    if policy.keep_last is not None:
        first = len(versions) - policy.keep_last
        reasons = ["among the last" if place >= first else reason for place, reason in enumerate(reasons)]
    return reasons


def _within(span: TimeSpan, times: Sequence[datetime]) -> list[bool]:
    since = span.before(max(times))
    return [time >= since for time in times]


def _doubtful(versions: Sequence[Version], kept: Sequence[Judged], stored_at: StoredAt) -> list[str]:
    """Samples of which the rule would forget more, were the clock of a client believed that is far from the others."""
    spared: dict[str, list[str]] = {}
    for row in kept:
        if row.kept_because == BY_BUCKET:
            spared.setdefault(row.sample, []).append(f"{row.sample}@{row.version}")
    return [
        f"{version.name} claims to be stored at {version.time}, and reached the bucket on "
        f"{stored_at.received(version):%Y-%m-%d}: by the bucket's clock the rule keeps "
        f"{', '.join(spared[version.sample])}"
        for version in versions
        if version.sample in spared and abs(moment(version.time) - stored_at.of(version)) > FAR
    ]


def _marked(marks: Sequence[tuple[str, str]]) -> str | None:
    words = ["held" if kind == "hold" else f"tagged {tag}" for kind, tag in sorted(marks)]
    return ", ".join(words) or None


def _judged(version: Version, why: str | None = None) -> Judged:
    archive = version.archive
    name = str(archive.source.get("name", ""))
    return Judged(archive.sample, archive.version, Moment.parse(version.time), name, archive.bytes_source, why)


def chosen(state: LogState, texts: Sequence[str]) -> list[Version]:
    """The versions that are meant: `name@2` is one, `name` all of that sample, a glob all of the samples it fits."""
    # `find` raises, with near misses.
    return _each_once(_matching(state, text, "live") or [refs.find(state, text)] for text in texts)


def _each_once(groups: Iterable[Sequence[Version]]) -> list[Version]:
    found = {(version.sample, version.version): version for group in groups for version in group}
    return [found[key] for key in sorted(found)]


def _matching(state: LogState, text: str, status: str) -> list[Version]:
    ref = refs.parse(text)
    if ref.version is not None:
        number = refs.number_of(state, ref)
        return state.versions("status = ? AND v.sample = ? AND v.version = ?", (status, ref.sample, number))
    exact = state.versions("status = ? AND v.sample = ?", (status, text))
    if exact or not refs.is_pattern(state, text):
        return exact
    everything = state.versions("status = ?", (status,))
    return [version for version in everything if fnmatch.fnmatchcase(version.sample, text)]


def _restorable(state: LogState, text: str) -> list[Version]:
    """The forgotten versions that a text means; without any, an error says what became of them."""
    if matches := _matching(state, text, "forgotten"):
        return matches
    if collected := _matching(state, text, "collected"):
        raise SampleNotFoundError(
            f"{_collected(state, collected)}: {'it' if len(collected) == 1 else 'they'} cannot be restored.",
            hint=_instead(state, collected),
        )
    if _matching(state, text, "live"):
        raise ConflictError(f"{text} is not forgotten.", hint=f"`sxeslake pull {text}` fetches its files.")
    raise SampleNotFoundError(f"no forgotten version is called {text!r}.", hint="`sxeslake log` shows the history.")


def _collected(state: LogState, versions: Sequence[Version]) -> str:
    """Which versions a collection took, in which commits."""
    entries = clock.changed_in(state, "collected", [(version.sample, version.version) for version in versions])
    times = dict(state.select("SELECT number, time FROM entries"))
    names = ", ".join(version.name for version in versions[:_NAMED]) + (", …" if len(versions) > _NAMED else "")
    commits = ", ".join(f"commit {number} ({times[number]})" for number in sorted(set(entries.values()))[:_NAMED])
    return f"`gc` collected {names}{f' in {commits}' if commits else ''}"


def _instead(state: LogState, versions: Sequence[Version]) -> str:
    """Where the files of collected versions are: in a version of the same contents, or outside of the lake."""
    found = {twin: None for version in versions if (twin := state.first_of_content(version.archive.content_id))}
    again = "`sxeslake ingest FILE` stores it again, and only what the lake no longer holds"
    if not found:
        return f"{again}."
    return f"`sxeslake pull {next(iter(found))}` fetches the same files; {again}."


def restore(vault: Vault, texts: Sequence[str], *, tool: str, message: str | None = None) -> RestoreReport:
    """Bring back what was forgotten and is not collected yet."""
    vault.sync()
    report = RestoreReport()
    blank = blank_entry(tool, message)

    def build(head: Head) -> Entry | None:
        state = vault.state
        versions = _each_once(_restorable(state, text) for text in texts)
        report.restored = [_judged(version) for version in versions]
        lost = _each_once(_matching(state, text, "collected") for text in texts)
        _LOG.info("%d versions to restore, %d collected before", len(versions), len(lost))
        report.warnings = [said(f"{_collected(state, lost)}: not restored. {_instead(state, lost)}")] if lost else []
        back = tuple((version.sample, version.version) for version in versions)
        return replace(blank, number=head.number + 1, previous=head.digest, restored=back)

    record = vault.commit(build)
    report.commit = record.entry.number if record else None
    return report

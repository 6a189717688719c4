"""How people name what they want: `ti-grains`, `ti-grains@2`, `ti-grains@paper-2026`, `2018/*`.

A name that is there is always that name, whatever it holds: `Si [001]@2` is no pattern where there is a sample
`Si [001]`. In a pattern, `[[]`, `[*]` and `[?]` stand for the characters themselves.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass

from sxeslake.errors import SampleNotFoundError, UsageError
from sxeslake.vault.log.state import LogState, Version

_NO_VERSION = 2**63 - 1  # a number beyond what a database holds names no version
_GLOB = re.compile(r"[*?\[]")
_NEWEST = (
    "status = 'live' AND v.sample = ?1 "
    "AND v.version = (SELECT max(version) FROM versions WHERE sample = ?1 AND status = 'live')"
)


@dataclass(frozen=True, slots=True)
class Ref:
    """A name, and what stands behind its `@`."""

    sample: str
    version: str | None


def parse(text: str) -> Ref:
    """`ti-grains@2` → `Ref("ti-grains", "2")`."""
    sample, at, version = text.rpartition("@")
    if not at:
        return Ref(text, None)
    if not sample or not version:
        raise UsageError(f"{text!r} is not a name.", hint="Write `NAME`, `NAME@2` or `NAME@tag`.")
    return Ref(sample, version)


def number_of(state: LogState, ref: Ref) -> int | None:
    """The version number behind the `@`, written out or by its tag; None where the tag names none."""
    if ref.version is None:
        return None
    if ref.version.isascii() and ref.version.isdigit():
        return min(int(ref.version[:20]), _NO_VERSION)
    return state.tag(ref.sample, ref.version)


def find(state: LogState, text: str) -> Version:
    """The version that a name means: the newest, or the one behind the `@`."""
    if (exact := find_exactly(state, text)) is not None:
        return exact
    ref = parse(text)
    live = state.versions("status = 'live' AND v.sample = ?", (ref.sample,))
    if not live:
        raise _unknown(state, ref.sample)
    if ref.version is None:
        return live[-1]
    number = number_of(state, ref)
    for version in live:
        if version.version == number:
            return version
    marks = state.marks(ref.sample)
    tags = [tag for version in live for kind, tag in marks.get(version.version, ()) if kind == "tag"]
    there = ", ".join([*(str(version.version) for version in live), *tags])
    raise SampleNotFoundError(f"{ref.sample} has no version {ref.version}.", hint=f"There is {there}.")


def find_exactly(state: LogState, text: str) -> Version | None:
    """As `find`, but None for a name that is not there: for those who try several."""
    sample, _, word = text.rpartition("@")
    number = number_of(state, Ref(sample, word)) if sample and word else None
    if number is not None and (version := state.live_version(sample, number)) is not None:
        return version
    newest = state.versions(_NEWEST, (text,))
    return newest[0] if newest else None


def find_all(state: LogState, texts: Sequence[str], *, everything: bool = False) -> list[Version]:
    """The versions that names and globs mean, each once, in order."""
    wanted = ["*", *texts] if everything else list(texts)
    found: dict[str, Version] = {}
    for text in wanted:
        if not is_pattern(state, text):
            matches = [find(state, text)]
        else:
            matches = _matching(state, text)
            if not matches and not everything:
                raise SampleNotFoundError(f"no archive is called like {text!r}.", hint="`sxeslake ls` shows all names.")
        found.update((match.name, match) for match in matches)
    return list(found.values())


def find_of_kind(state: LogState, texts: Sequence[str], kind: str) -> list[Version]:
    """As `find_all`, but of a glob only the versions of one kind of archive; what is named is found whatever it is."""
    named = {find(state, text).name for text in texts if not is_pattern(state, text)}
    return [version for version in find_all(state, texts) if version.archive.kind == kind or version.name in named]


def is_pattern(state: LogState, text: str) -> bool:
    """Whether a text stands for the samples that it fits, not for one of that name."""
    if not _GLOB.search(text) or find_exactly(state, text) is not None:
        return False
    names = text, text.rpartition("@")[0]
    return not state.select("SELECT 1 FROM versions WHERE sample IN (?, ?) LIMIT 1", names)


def _matching(state: LogState, pattern: str) -> list[Version]:
    newest: dict[str, Version] = {}
    for version in state.versions():
        if fnmatch.fnmatchcase(version.sample, pattern):
            newest[version.sample] = version
    return list(newest.values())


def _unknown(state: LogState, sample: str) -> SampleNotFoundError:
    near = difflib.get_close_matches(sample, state.samples(), n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}?" if near else "`sxeslake ls` shows all names."
    return SampleNotFoundError(f"no archive is called {sample!r}.", hint=hint)

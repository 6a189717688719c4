"""Names by lookups agree with names by reading every version, whatever was ingested, forgotten and brought back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from sxeslake.format import logentry
from sxeslake.format.logentry import ArchiveAdded, Entry, ManifestAdded
from sxeslake.ingest.copies import Met, new_paths
from sxeslake.ingest.naming import Assignment, NamedBatch, Names, Newcomer
from sxeslake.ingest.report import ArchiveReport
from sxeslake.model import Source
from sxeslake.vault.log.state import LogRecord, LogState, Version

MANIFEST = "0" * 32


Seen = tuple[str, int, tuple[str | None, str | None]]
"""A version, and a path and host at which its file was found."""


def slowly(newcomer: Newcomer, versions: Sequence[Version], seen: Sequence[Seen]) -> Assignment:
    """The rule as it reads: the file itself, the file at its path, the first name of the chain free or continued."""
    home = None if newcomer.insisted else home_of(newcomer, versions, seen)
    number = 0
    while True:
        number += 1
        name = home or (newcomer.wanted if number == 1 else f"{newcomer.wanted}-{number}")
        of_name = [version for version in versions if version.sample == name]
        live = [version for version in of_name if version.status == "live"]
        same = [version.version for version in live if is_same(newcomer, version.archive)]
        if same:
            return Assignment(name, max(same), unchanged=True)
        if home or not live or newcomer.insisted or any(continues(newcomer, version) for version in live):
            return Assignment(name, max((version.version for version in of_name), default=0) + 1, unchanged=False)


def home_of(newcomer: Newcomer, versions: Sequence[Version], seen: Sequence[Seen]) -> str | None:
    """The sample of the same file, best one seen at this path or of the wanted name; else the last one seen there."""
    place = newcomer.source.path, newcomer.source.host
    live = {(version.sample, version.version): version for version in versions if version.status == "live"}
    here = [name for *name, at in seen if at == place and tuple(name) in live]
    same = [
        name
        for name, version in live.items()
        if newcomer.source.sha256 is not None and version.archive.source["sha256"] == newcomer.source.sha256
    ]
    if same:
        return min(same, key=lambda name: (list(name) not in here, name[0] != newcomer.wanted, name[0]))[0]
    return str(here[-1][0]) if here else None


def is_same(newcomer: Newcomer, known: ArchiveAdded) -> bool:
    """A file by its SHA-256, a folder by names, contents, times and attributes."""
    sha256 = known.source["sha256"]
    if newcomer.source.sha256 is not None or sha256 is not None:
        return bool(newcomer.source.sha256 == sha256)
    return newcomer.content_id == known.content_id and newcomer.layout_id == known.layout_id


def continues(newcomer: Newcomer, version: Version) -> bool:
    archive = version.archive
    return (
        (newcomer.source.path, newcomer.source.host) == (archive.source["path"], archive.source["host"])
        or bool(newcomer.analyses & set(archive.analyses))
        or newcomer.content_id == archive.content_id
        or (newcomer.shares_array is not None and newcomer.shares_array(version))
    )


newcomers = st.builds(
    lambda wanted, insisted, content, layout, path, sha, analyses, arrays: Newcomer(
        wanted,
        insisted,
        content,
        layout,
        Source(path, "host", "x.zip", "zip", 1, 0, sha),
        frozenset(analyses),
        (lambda version: version.archive.comment == arrays) if arrays else None,
    ),
    st.sampled_from(["a", "a-2", "a-02", "b"]),
    st.booleans(),
    st.sampled_from("pqrs"),
    st.sampled_from("xy"),
    st.sampled_from(["/1", "/2", "/3", "/4"]),
    st.sampled_from([None, "s1", "s2", "s3"]),
    st.sets(st.sampled_from(["u1", "u2", "u3"]), max_size=1),
    st.sampled_from([None, "00", "01"]),
)
steps = st.lists(
    st.one_of(st.lists(newcomers, min_size=1, max_size=4), st.sampled_from(["forget", "restore"])), max_size=8
)


def added(newcomer: Newcomer, place: Assignment) -> ArchiveAdded:
    comment = "" if newcomer.shares_array is None else "01" if newcomer.insisted else "00"
    return ArchiveAdded(
        place.sample, place.version, MANIFEST, 0, 0, 0, newcomer.content_id, newcomer.layout_id, "generic", 0, 1, 0, 0,
        0, 0, asdict(newcomer.source), tuple(newcomer.analyses), comment=comment,
    )  # fmt: skip


@given(steps)
def test_lookups_decide_as_reading_does(steps: list[list[Newcomer] | str]) -> None:
    with TemporaryDirectory() as folder:
        state = LogState(Path(folder) / "state.sqlite")
        try:
            commit(state, Entry(1, None, "t", "2026-01-01T00:00:00Z", "w", "h", "t",
                                manifests=(ManifestAdded(MANIFEST, 1, 1, "0" * 64, "0" * 64),)))  # fmt: skip
            names = Names(state)
            seen: list[Seen] = []
            for step in steps:
                if isinstance(step, str):
                    wanted = "live" if step == "forget" else "forgotten"
                    chosen = tuple((v.sample, v.version) for v in state.versions("status = ?", (wanted,))[:2])
                    change = {"forgotten": chosen} if step == "forget" else {"restored": chosen}
                    commit(state, replace(next_entry(state), **change))  # type: ignore[arg-type]
                    continue
                batch = NamedBatch()
                placed: list[ArchiveAdded] = []
                met: list[Met] = []
                for newcomer in step:
                    known = [*state.versions("TRUE"), *(Version(0, "", "live", archive) for archive in placed)]
                    place = names.decide(newcomer, batch)
                    now = [(a.sample, a.version, (a.source["path"], a.source["host"])) for a in placed]
                    assert place == slowly(newcomer, known, [*seen, *now])
                    if place.unchanged:
                        met.append(Met(place, newcomer.source, ArchiveReport("")))
                    else:
                        placed.append(added(newcomer, place))
                        batch.add(Version(0, "", "live", placed[-1]))
                paths = new_paths(state, met, {(archive.sample, archive.version) for archive in placed})
                seen += [(a.sample, a.version, (a.source["path"], a.source["host"])) for a in placed]
                seen += [(item["sample"], item["version"], (item["path"], item["host"])) for item in paths]
                commit(state, replace(next_entry(state), archives=tuple(placed), paths=paths))
        finally:
            state.close()


def next_entry(state: LogState) -> Entry:
    head = state.head()
    return Entry(head.number + 1, head.digest, f"t{head.number}", "2026-01-01T00:00:00Z", "w", "h", "t")


def commit(state: LogState, entry: Entry) -> None:
    data, body = logentry.dump(entry)
    record = LogRecord(entry, logentry.digest_of(data, where="entry"), data, None if body is None else body[1])
    state.apply([record])

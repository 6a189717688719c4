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
from sxeslake.ingest.naming import Batch, Names, Newcomer, Place
from sxeslake.model import Source
from sxeslake.vault.state import LogRecord, State, Version

MANIFEST = "0" * 32


def slowly(newcomer: Newcomer, versions: Sequence[Version]) -> Place:
    """The rule as it reads: the first name of the chain that is free or continued."""
    number = 0
    while True:
        number += 1
        name = newcomer.wanted if number == 1 else f"{newcomer.wanted}-{number}"
        of_name = [version for version in versions if version.sample == name]
        live = [version for version in of_name if version.status == "live"]
        same = [version.version for version in live if is_same(newcomer, version.archive)]
        if same:
            return Place(name, max(same), unchanged=True)
        if not live or newcomer.insisted or any(continues(newcomer, version) for version in live):
            return Place(name, max((version.version for version in of_name), default=0) + 1, unchanged=False)


def is_same(newcomer: Newcomer, known: ArchiveAdded) -> bool:
    return (newcomer.source.sha256 is not None and newcomer.source.sha256 == known.source["sha256"]) or (
        newcomer.content_id == known.content_id and newcomer.layout_id == known.layout_id
    )


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


def added(newcomer: Newcomer, place: Place) -> ArchiveAdded:
    comment = "" if newcomer.shares_array is None else "01" if newcomer.insisted else "00"
    return ArchiveAdded(
        place.sample, place.version, MANIFEST, 0, 0, 0, newcomer.content_id, newcomer.layout_id, "generic", 0, 0, 0, 0,
        0, 0, asdict(newcomer.source), tuple(newcomer.analyses), comment=comment,
    )  # fmt: skip


@given(steps)
def test_lookups_decide_as_reading_does(steps: list[list[Newcomer] | str]) -> None:
    with TemporaryDirectory() as folder:
        state = State(Path(folder) / "state.sqlite")
        try:
            commit(state, Entry(1, None, "t", "2026-01-01T00:00:00Z", "w", "h", "t",
                                manifests=(ManifestAdded(MANIFEST, 1, 1, "0" * 64, "0" * 64),)))  # fmt: skip
            names = Names(state)
            for step in steps:
                if isinstance(step, str):
                    wanted = "live" if step == "forget" else "forgotten"
                    chosen = tuple((v.sample, v.version) for v in state.versions("status = ?", (wanted,))[:2])
                    change = {"forgotten": chosen} if step == "forget" else {"restored": chosen}
                    commit(state, replace(next_entry(state), **change))  # type: ignore[arg-type]
                    continue
                batch = Batch()
                placed: list[ArchiveAdded] = []
                for newcomer in step:
                    known = [*state.versions("TRUE"), *(Version(0, "", "live", archive) for archive in placed)]
                    place = names.decide(newcomer, batch)
                    assert place == slowly(newcomer, known)
                    if not place.unchanged:
                        placed.append(added(newcomer, place))
                        batch.add(Version(0, "", "live", placed[-1]))
                commit(state, replace(next_entry(state), archives=tuple(placed)))
        finally:
            state.close()


def next_entry(state: State) -> Entry:
    head = state.head()
    return Entry(head.number + 1, head.digest, f"t{head.number}", "2026-01-01T00:00:00Z", "w", "h", "t")


def commit(state: State, entry: Entry) -> None:
    data, body = logentry.dump(entry)
    record = LogRecord(entry, logentry.digest_of(data, where="entry"), data, None if body is None else body[1])
    state.apply([record])

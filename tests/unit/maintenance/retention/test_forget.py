"""Forget, restore, tag and hold; and the history that tells of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from support.faults import FaultyStore
from support.internals import vault_of
from support.small_lakes import new_lake, zip_of

from sxeslake.errors import ConflictError, NotFoundError, SampleNotFoundError, UsageError
from sxeslake.format import keys
from sxeslake.format.logentry import ArchiveAdded
from sxeslake.lake import Lake
from sxeslake.maintenance.retention import durations
from sxeslake.maintenance.retention.forget import ForgetReport, Policy, rules_keep
from sxeslake.storage import Data, open_store
from sxeslake.vault.log.state import Version
from sxeslake.vault.vault import Vault

ARCHIVE = ArchiveAdded("a", 1, "", 0, 0, 0, "", "", "generic", 0, 0, 0, 0, 0, 0, {})


@pytest.fixture
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lake]:
    """`a` in three versions, `maps/b` in two."""
    with new_lake(open_store(f"memory://{request.node.name}")) as made:
        for name, versions in (("a", 3), ("maps/b", 2)):
            for number in range(versions):
                made.ingest(zip_of(tmp_path / "x.zip", {"n": f"{name}{number}".encode()}), sample=name)
        yield made


def live(lake: Lake) -> list[str]:
    return [f"{row.sample}@{row.version}" for row in lake.ls(all_versions=True)]


def names(report: ForgetReport) -> list[str]:
    return [f"{row.sample}@{row.version}" for row in report.forgotten]


def test_one_version_is_forgotten(lake: Lake) -> None:
    report = lake.forget("a@2", message="spoilt")
    assert names(report) == ["a@2"]
    assert report.commit == 6
    assert live(lake) == ["a@1", "a@3", "maps/b@1", "maps/b@2"]


@pytest.mark.parametrize(
    ("refs", "gone"),
    [
        (["a"], ["a@1", "a@2", "a@3"]),
        (["maps/*"], ["maps/b@1", "maps/b@2"]),
        (["a@1", "a@1", "maps/b@2"], ["a@1", "maps/b@2"]),
        (["*"], ["a@1", "a@2", "a@3", "maps/b@1", "maps/b@2"]),
    ],
)
def test_what_names_mean(lake: Lake, refs: Sequence[str], gone: Sequence[str]) -> None:
    assert names(lake.forget(refs)) == gone


def test_a_dry_run_changes_nothing(lake: Lake) -> None:
    before = live(lake)
    report = lake.forget("a", keep_last=1, dry_run=True)
    assert (names(report), report.dry_run, report.commit) == (["a@1", "a@2"], True, None)
    assert live(lake) == before


def test_rules_keep_of_each_sample(lake: Lake) -> None:
    report = lake.forget("*", keep_last=1)
    assert names(report) == ["a@1", "a@2", "maps/b@1"]
    assert [(row.sample, row.version, row.kept_because) for row in report.kept] == [
        ("a", 3, "among the last"),
        ("maps/b", 2, "among the last"),
    ]
    assert lake.forget("*", keep_last=1).commit is None


def test_a_span_keeps_all_that_is_young(lake: Lake) -> None:
    report = lake.forget("a", keep_within="1d")
    assert (report.commit, len(report.kept)) == (None, 3)


def at(*times: str) -> list[Version]:
    return [Version(1, time, "live", ARCHIVE) for time in times]


def test_rules_are_combined() -> None:
    versions = at("2020-01-01T00:00:00Z", "2023-06-01T00:00:00Z", "2025-01-01T00:00:00Z", "2025-05-01T00:00:00Z")

    def keep(keep_last: int | None = None, keep_within: durations.TimeSpan | None = None) -> list[bool]:
        return [why is not None for why in rules_keep(versions, Policy(keep_last, keep_within))]

    assert keep() == [False] * 4
    assert keep(keep_last=1) == [False, False, False, True]
    assert keep(keep_last=9) == [True] * 4
    assert keep(keep_within=durations.parse("2y")) == [False, True, True, True]
    assert keep(keep_within=durations.parse("0")) == [False, False, False, True]
    assert keep(keep_last=2, keep_within=durations.parse("1h")) == [False, False, True, True]


def test_a_rule_is_for_samples(lake: Lake) -> None:
    with pytest.raises(UsageError, match="whole sample"):
        lake.forget("a@2", keep_last=1)
    with pytest.raises(UsageError, match="one version or more"):
        lake.forget("a", keep_last=0)
    with pytest.raises(UsageError, match="span"):
        lake.forget("a", keep_within="soon")


def test_what_is_not_there_cannot_be_forgotten(lake: Lake) -> None:
    for ref in ("b", "a@7", "a@paper", "z*"):
        with pytest.raises(NotFoundError):
            lake.forget(ref)
    lake.forget("a@2")
    with pytest.raises(SampleNotFoundError):
        lake.forget("a@2")
    with pytest.raises(SampleNotFoundError):
        lake.forget(f"a@{'9' * 30}")


def claiming(lake: Lake, folder: Path, monkeypatch: pytest.MonkeyPatch, *times: str) -> None:
    """Versions of `c`, each stored by a client whose clock says so."""
    for number, time in enumerate(times):
        monkeypatch.setattr("sxeslake.vault.log.commit.utc_now", lambda time=time: time)
        lake.ingest(zip_of(folder / "x.zip", {"n": f"c{number}".encode()}), sample="c")


def received(lake: Lake, *times: str) -> None:
    """Let the versions of `c` have reached the bucket at these times."""
    objects = vault_of(lake).store._space.objects  # type: ignore[attr-defined]
    for version, time in zip(vault_of(lake).state.versions("v.sample = 'c'"), times, strict=True):
        key = keys.log_key(version.number)
        objects[key] = (objects[key][0], durations.moment(time).timestamp())


YEARS = ("2040-01-01T00:00:00Z", "2041-01-01T00:00:00Z", "2048-01-01T00:00:00Z", "2049-01-01T00:00:00Z")


@pytest.mark.parametrize("clock", ["2095-01-01T00:00:00Z", "2062-01-01T00:00:00Z"])
@pytest.mark.parametrize("wrong", [1, 2, 3])
def test_nothing_is_forgotten_on_the_word_of_one_clock(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: int, clock: str
) -> None:
    claims = [*YEARS[:wrong], clock, *YEARS[wrong + 1 :]]
    claiming(lake, tmp_path, monkeypatch, *claims)
    received(lake, *YEARS)
    before = live(lake)
    report = lake.forget("c", keep_within="10y")
    assert (names(report), report.commit, live(lake)) == ([], None, before)
    (line,) = report.doubtful
    assert f"c@{wrong + 1} claims to be stored at {clock}" in line
    assert YEARS[wrong][:10] in line
    agreed = [f"c@{number}" for number in (1, 2) if number != wrong + 1]
    assert names(lake.forget("c", keep_within="5y", keep_last=2)) == agreed


def test_a_clock_that_is_behind_makes_no_version_old(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claiming(lake, tmp_path, monkeypatch, YEARS[0], YEARS[2], "1970-01-01T00:00:00Z", YEARS[3])
    received(lake, YEARS[0], YEARS[2], YEARS[2], YEARS[3])
    report = lake.forget("c", keep_within="5y")
    assert names(report) == ["c@1"]
    assert "c@3 claims" in report.doubtful[0]


def test_a_bucket_that_was_copied_has_its_times_from_the_log(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All objects are as old as the copy; no claim is beyond that, and the claims are in order."""
    claiming(lake, tmp_path, monkeypatch, *YEARS)
    received(lake, *["2050-01-01T00:00:00Z"] * 4)
    report = lake.forget("c", keep_within="5y")
    assert (names(report), report.doubtful) == (["c@1", "c@2"], [])


def test_restore(lake: Lake) -> None:
    before = live(lake)
    lake.forget("a")
    assert [row.version for row in lake.restore("a").restored] == [1, 2, 3]
    assert live(lake) == before
    with pytest.raises(ConflictError, match="not forgotten"):
        lake.restore("a")
    with pytest.raises(SampleNotFoundError, match="no forgotten version"):
        lake.restore("nobody")


@pytest.mark.parametrize("ref", ["a@1", "a@1 a@2", "a", "a*"])
def test_what_was_collected_cannot_be_restored(lake: Lake, tmp_path: Path, ref: str) -> None:
    lake.ingest(zip_of(tmp_path / "twin.zip", {"n": b"a0"}), sample="twin")
    lake.forget(["a@1", "a@2"])
    commit = lake.gc(grace="0").commit
    time = next(row.time for row in lake.log() if row.number == commit)
    with pytest.raises(SampleNotFoundError) as caught:
        lake.restore(ref.split())
    assert f"`gc` collected a@1{'' if '@' in ref else ', a@2'} in commit {commit} ({time}): " in str(caught.value)
    assert caught.value.hint is not None
    assert 'lake.pull("twin@1")' in caught.value.hint
    assert "lake.ingest(" in caught.value.hint


def test_collected_versions_without_a_twin_are_to_be_ingested_again(lake: Lake) -> None:
    lake.forget("maps/b")
    lake.gc(grace="0")
    with pytest.raises(SampleNotFoundError, match=r"maps/b@1, maps/b@2 .* they cannot be restored") as caught:
        lake.restore("maps/*")
    assert caught.value.hint is not None
    assert "pull" not in caught.value.hint
    assert "lake.ingest(" in caught.value.hint


def test_restore_names_what_is_collected_beside_what_comes_back(lake: Lake) -> None:
    lake.forget("a@1")
    lake.gc(grace="0")
    lake.forget("a@3")
    report = lake.restore("a")
    assert [row.version for row in report.restored] == [3]
    (warning,) = report.warnings
    assert "collected a@1 in commit 7" in warning
    assert live(lake) == ["a@2", "a@3", "maps/b@1", "maps/b@2"]


def test_a_tag_that_is_not_there_names_nothing_to_restore(lake: Lake) -> None:
    with pytest.raises(SampleNotFoundError, match="no forgotten version"):
        lake.restore("a@paper")


def test_a_tagged_or_held_version_refuses_to_be_forgotten(lake: Lake) -> None:
    lake.tag("a@1", "paper")
    lake.hold("a@2")
    before = live(lake)
    with pytest.raises(ConflictError, match=r"a@1 \(tagged paper\), a@2 \(held\)"):
        lake.forget("a")
    with pytest.raises(ConflictError, match="a@1"):
        lake.forget("a@paper")
    assert live(lake) == before
    report = lake.forget("a", keep_last=1)
    assert (names(report), [row.kept_because for row in report.kept]) == (
        [],
        ["tagged paper", "held", "among the last"],
    )
    lake.release("a@2")
    assert names(lake.forget("a", keep_last=1)) == ["a@2"]


def test_a_tag_names_one_version(lake: Lake) -> None:
    lake.tag("a@1", "paper")
    assert lake.show("a@paper").version == 1
    assert lake.tag("a@1", "paper").commit is None
    with pytest.raises(ConflictError, match="a@1"):
        lake.tag("a@2", "paper")
    assert lake.tag("maps/b", "paper").marked == ["maps/b@2"]
    lake.tag("a", "paper", remove=True)
    lake.tag("a@2", "paper")
    assert lake.show("a@paper").version == 2
    with pytest.raises(NotFoundError, match="no tag"):
        lake.tag("a", "draft", remove=True)


@pytest.mark.parametrize("tag", ["", "7", "٧", "a b", "a@b", "all*", "x" * 101, "a\x1bb"])
def test_what_is_no_tag(lake: Lake, tag: str) -> None:
    with pytest.raises(UsageError):
        lake.tag("a", tag)


def test_holds(lake: Lake) -> None:
    assert lake.hold("a").marked == ["a@1", "a@2", "a@3"]
    assert lake.hold("a").commit is None
    assert lake.show("a@2").held
    assert lake.show("a@2").tags == []
    assert lake.release(["a@2", "a@3"]).marked == ["a@2", "a@3"]
    assert not lake.show("a@2").held
    assert lake.release("a@2").commit is None


def test_history(lake: Lake) -> None:
    lake.tag("a@1", "paper", message="for the paper")
    lake.forget("maps/b@1")
    lake.gc(grace="0")
    rows = list(lake.log())
    assert [row.number for row in rows] == [8, 7, 6, 5, 4, 3, 2, 1]
    assert [(row.what, row.archives) for row in rows[1:4]] == [
        (["forgotten"], ["maps/b@1"]),
        (["tagged paper"], ["a@1"]),
        (["added"], ["maps/b@2"]),
    ]
    assert rows[0].what[0] == "collected"
    assert rows[2].message == "for the paper"
    assert [row.number for row in lake.log("a")] == [6, 3, 2, 1]
    assert [row.number for row in lake.log("maps/*", limit=2)] == [8, 7]
    assert list(lake.log("nobody")) == []


def test_a_forget_that_comes_second_decides_anew(lake: Lake, tmp_path: Path) -> None:
    """Somebody tags a version between the look and the commit."""

    class TagsFirst(FaultyStore):
        def create(self, key: str, data: Data) -> None:
            if key.startswith("log/") and not lake.show("a@2").tags:
                lake.tag("a@2", "paper")
            super().create(key, data)

    with (
        Lake(Vault(TagsFirst(open_store(lake.url)), None)) as other,
        pytest.raises(ConflictError, match="tagged paper"),
    ):
        other.forget("a@2")
    assert "a@2" in live(lake)

"""The folded log: what lives, what is forgotten, what is dead for ever."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.entries import archive, chain, manifest, named, pack, record

from sxeslake.errors import DamagedLakeError
from sxeslake.vault.log.state import Head, LogState


@pytest.fixture
def state(tmp_path: Path) -> Iterator[LogState]:
    opened = LogState(tmp_path / "state.sqlite")
    yield opened
    opened.close()


def names(state: LogState, where: str = "status = 'live'") -> list[str]:
    return [version.name for version in state.versions(where)]


def test_an_empty_log(state: LogState) -> None:
    assert state.head() == Head(0, None)
    assert (names(state), state.packs(), state.next_version("a")) == ([], {}, 1)


def test_versions_packs_and_manifests_come_alive(state: LogState) -> None:
    adding = {
        "packs": (pack(1), pack(2)),
        "manifests": (manifest(0), manifest(3)),
        "archives": (archive("b", manifest_id=named(3), needs=(named(1),)), archive("a", 1), archive("a", 2)),
    }
    records = chain(adding)
    state.apply(records)
    assert state.head() == Head(1, records[0].digest)
    assert names(state) == ["a@1", "a@2", "b@1"]
    assert state.packs() == {named(1): pack(1), named(2): pack(2)}
    assert state.manifest(named(3)) == manifest(3)
    assert state.versions("v.sample = ?", ("b",))[0].archive == adding["archives"][0]
    assert state.samples() == ["a", "b"]


def test_forgotten_restored_collected(state: LogState) -> None:
    everything = {"archives": tuple(archive("a", number) for number in (1, 2, 3))}
    state.apply(chain(everything, {"forgotten": (("a", 1), ("a", 2))}))
    assert names(state) == ["a@3"]
    assert names(state, "status = 'forgotten'") == ["a@1", "a@2"]
    state.apply(chain({"restored": (("a", 1),)}, {"collected": (("a", 2),)}, head=state.head()))
    assert names(state) == ["a@1", "a@3"]
    state.apply(chain({"restored": (("a", 2),)}, {"forgotten": (("a", 2),)}, head=state.head()))
    assert names(state, "status = 'collected'") == ["a@2"], "what was collected stays so"


def test_a_number_is_used_once(state: LogState) -> None:
    state.apply(chain({"archives": (archive("a", 1), archive("a", 2))}, {"forgotten": (("a", 2),)}))
    assert state.next_version("a") == 3


def test_what_is_condemned_is_dead_for_ever(state: LogState) -> None:
    state.apply(chain({"packs": (pack(1), pack(2)), "manifests": (manifest(3),)}))
    condemned = {"condemned_packs": (named(1), named(9)), "condemned_manifests": (named(3),)}  # 9 is an orphan
    state.apply(chain(condemned, head=state.head()))
    assert list(state.packs()) == [named(2)]
    assert state.manifests() == {}
    assert state.condemned("packs", [named(1), named(2), named(9), named(10)]) == {named(1), named(9)}
    assert state.live_packs([named(1), named(2), named(9)]) == {named(2)}
    for dead in (1, 9):
        state.apply(chain({"packs": (pack(dead),), "condemned_packs": (named(2),)}, head=state.head()))
        assert "was condemned" in state.void()[state.head().number][0].why
    assert state.packs() == {}, "what stands beside a void item counts"
    assert state.manifest(named(3)).id == named(3), "readers read on while it is there"
    with pytest.raises(DamagedLakeError, match="never added"):
        state.manifest(named(4))


def test_many_ids_are_asked_at_once(state: LogState) -> None:
    state.apply(chain({"condemned_packs": tuple(named(number) for number in range(2000))}))
    assert len(state.condemned("packs", [named(number) for number in range(1000, 3000)])) == 1000


def test_tags_move_and_go(state: LogState) -> None:
    tag = {"sample": "a", "tag": "paper", "version": 1, "action": "add"}
    versions = {"archives": tuple(archive("a", number) for number in (1, 4))}
    state.apply(chain({**versions, "tags": (tag,)}))
    assert state.tag("a", "paper") == 1
    state.apply(chain({"tags": ({**tag, "version": 4},)}, head=state.head()))
    assert (state.tag("a", "paper"), state.tag("b", "paper")) == (4, None)
    state.apply(chain({"tags": ({**tag, "action": "remove"},)}, head=state.head()))
    assert state.tag("a", "paper") is None


def test_entries_follow_one_another(state: LogState) -> None:
    first, second = chain({}, {})
    with pytest.raises(DamagedLakeError, match="entry 2 does not follow entry 0"):
        state.apply([second])
    state.apply([first])
    stranger = record(Head(1, "a" * 64))
    with pytest.raises(DamagedLakeError, match="does not follow"):
        state.apply([stranger])
    state.apply([first, second])  # what is folded already is passed over
    assert state.head().number == 2


def test_a_batch_is_folded_whole_or_not_at_all(state: LogState) -> None:
    good, bad = chain({"packs": (pack(1),)}, {})
    bad = bad._replace(entry=replace(bad.entry, previous="a" * 64))
    with pytest.raises(DamagedLakeError):
        state.apply([good, bad])
    assert state.head().number == 0


def test_the_log_is_kept_with_its_bytes(state: LogState) -> None:
    records = chain({}, {"message": "x"}, {})
    state.apply(records)
    assert list(state.log(1)) == [(one.entry.number, one.digest, one.data, one.body) for one in records[1:]]


def test_processes_share_it(state: LogState, tmp_path: Path) -> None:
    other = LogState(tmp_path / "state.sqlite")
    state.apply(chain({"archives": (archive("a"),)}))
    assert names(other) == ["a@1"]
    other.close()


def test_a_cache_of_another_layout_is_built_anew(state: LogState, tmp_path: Path) -> None:
    state.apply(chain({"archives": (archive("a"),)}))
    with state.transaction() as db:
        db.execute("UPDATE meta SET value = '0' WHERE key = 'layout'")
    again = LogState(tmp_path / "state.sqlite")
    assert (again.head(), names(again)) == (Head(0, None), [])
    again.close()


def test_everything_is_forgotten(state: LogState) -> None:
    state.apply(chain({"archives": (archive("a"),), "packs": (pack(1),)}))
    state.forget_everything()
    assert (state.head(), names(state), state.packs()) == (Head(0, None), [], {})


def said(key: str, value: str | None, version: int | None = None, uuid: str | None = None) -> dict[str, object]:
    """An annotation of the sample `a`, of a version of it, or of an analysis."""
    target = "analysis" if uuid else "sample"
    return {"sample": "a", "version": version, "target": target, "uuid": uuid, "key": key, "value": value}


def test_the_last_word_of_an_annotation_counts(state: LogState) -> None:
    state.apply(
        chain(
            {"archives": tuple(archive("a", number) for number in (1, 2))},
            {"annotations": (said("role", "standard"), said("role", "unknown", 2), said("role", "probe", None, "u"))},
            {"annotations": (said("role", "reference"), said("mount", "M3", 1))},
            {"annotations": (said("role", None, 2), said("mount", None))},
        )
    )
    of_first = [(each.version, each.uuid, each.key, each.value) for each in state.annotations("a", 1)]
    assert of_first == [
        (1, None, "mount", "M3"),
        (None, None, "role", "reference"),
        (None, "u", "role", "probe"),
    ]
    assert [each.value for each in state.annotations("a", 2)] == ["reference", "probe"]
    assert state.annotations("b", 1) == []
    assert (state.annotations("a", 1)[0].who, state.annotations("a", 1)[0].time) == ("curie", "2026-11-23T02:34:57Z")


def test_versions_come_some_at_a_time(state: LogState, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = {"archives": tuple(archive(name, number) for name in ("b", "a", "a/1") for number in (1, 2, 3))}
    state.apply(chain(everything, {"forgotten": (("a", 2),)}))
    monkeypatch.setattr("sxeslake.vault.log.state._AT_ONCE", 2)
    assert list(state.each_version()) == state.versions()
    assert [version.name for version in state.each_version("status = ?", ("forgotten",))] == ["a@2"]

"""Equal measurements once; other content under a taken UUID apart; who told what stays told."""

from __future__ import annotations

from uuid import UUID

from blake3 import blake3

from sxeslake.pull.merge.metadata import MergedMetadata
from sxeslake.pull.merge.same import KeptItems, MergedItem, Origin, content_key, derived_uuid, keep, need_states


def item(share: int, uuid: str, **files: str) -> MergedItem:
    suffix = {"info": "info.json", "qlw": "qlw.data", "note": "note.txt"}
    return MergedItem(share, uuid, {suffix[name]: blake3(text.encode()).digest() for name, text in files.items()})


def test_only_positions_with_a_shared_array_or_uuid_need_their_state() -> None:
    items = [item(0, "a", qlw="1"), item(1, "b", qlw="1"), item(1, "c", qlw="2"), item(1, "d", info="x")]
    assert need_states(items) == {Origin(0, "a"), Origin(1, "b")}
    assert need_states([*items, item(2, "c", qlw="3"), item(2, "d", info="x")]) == {
        Origin(0, "a"), Origin(1, "b"), Origin(1, "c"), Origin(2, "c"),
    }  # fmt: skip


def test_the_first_of_equal_contents_is_kept() -> None:
    items = [item(0, "a"), item(1, "b"), item(1, "a"), item(2, "a")]
    kept = keep(items, ["one", "one", "two", "two"])
    derived = kept.uuids[Origin(1, "a")]
    assert UUID(derived).version == 5
    assert kept.uuids == {
        Origin(0, "a"): "a", Origin(1, "b"): "a", Origin(1, "a"): derived, Origin(2, "a"): derived
    }  # fmt: skip
    assert kept.origins["a"] == [Origin(0, "a"), Origin(1, "b")]
    assert derived_uuid("two", ()) == derived != derived_uuid("two", {derived})


def test_items_without_arrays_are_told_by_all_they_have() -> None:
    one, other = item(0, "a", info="x"), item(1, "a", info="y")
    assert content_key(one) != content_key(other)
    assert content_key(one) == content_key(item(5, "a", info="x"))


def kept_as(**uuids: str) -> KeptItems:
    return KeptItems({Origin(int(name[-1]), name[:-1]): uuid for name, uuid in uuids.items()}, {})


def test_equal_entries_grow_and_others_stand_apart() -> None:
    positions = kept_as(u0="u", v1="u", w1="w", x2="x")
    merged = MergedMetadata(positions, KeptItems())
    analysis = {"uuid": "a", "name": "grain", "positionUuids": ["u"]}
    merged.add(0, {"analyses": [analysis], "projects": [{"uuid": "p", "analyses": ["a"]}], "top": 1})
    merged.add(1, {"analyses": [{**analysis, "positionUuids": ["v", "w"]}],
                   "projects": [{"uuid": "p", "analysisUuids": ["a"]}], "top": 2, "version": "0.1.1"})  # fmt: skip
    merged.add(2, {"analyses": [{**analysis, "name": "repolished", "positionUuids": ["x", "gone"]}], "projects": []})
    fields = merged.fields({"archives": []})
    first, second = fields["analyses"]
    assert first == {"uuid": "a", "name": "grain", "positionUuids": ["u", "w"]}
    assert second["name"] == "repolished"
    assert second["positionUuids"] == ["x"]
    assert UUID(second["uuid"]).version == 5
    assert fields["projects"] == [{"uuid": "p", "analyses": ["a"]}]
    assert (fields["version"], fields["top"]) == ("0.1.1", 1)
    assert merged.otherwise == [{}, {"top": 2}, {}]
    assert merged.origins["analyses"][second["uuid"]] == [Origin(2, "a")]

"""Log entries: they come back, prove themselves, and hostile ones are refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from blake3 import blake3

from sxeslake.errors import DamagedLakeError, InputError, ReadOnlyError
from sxeslake.format import logentry
from sxeslake.format.lakefile import FORMAT
from sxeslake.format.logentry import ArchiveAdded, Entry, ManifestAdded, Moved, PackAdded

IDS = [f"{number:032x}" for number in range(8)]
SOURCE = {
    "path": "/d/a.plzip",
    "host": "probe-2",
    "name": "a.plzip",
    "container": "zip",
    "size": 9,
    "modified_ns": -1,
    "sha256": None,
}
ARCHIVE = ArchiveAdded(
    "ti-grains",
    3,
    IDS[2],
    0,
    1,
    5,
    "c" * 64,
    "d" * 64,
    "sxes",
    5,
    9,
    20,
    4,
    2,
    11,
    SOURCE,
    ("uuid-1",),
    ("broken",),
    (IDS[0], IDS[1]),
    "4869",
)
FULL = Entry(
    12,
    "b" * 64,
    "transaction-1",
    "2026-11-23T02:34:57Z",
    "M. Curie",
    "größe",
    "sxeslake 1.0.0",
    "said\n“so”",
    packs=(PackAdded(IDS[0], "json", 500, 100, 5, 900),),
    manifests=(ManifestAdded(IDS[2], 700, 70, "e" * 64, "f" * 64),),
    archives=(
        ARCHIVE,
        replace(ARCHIVE, version=4, needs=(IDS[1],), origin={"time": "2020-01-01T00:00:00Z", "who": None}),
    ),
    forgotten=(("ti-grains", 1),),
    restored=(("日本", 2),),
    collected=(("old", 1), ("old", 2)),
    condemned_packs=(IDS[3], IDS[4]),
    condemned_manifests=(IDS[5],),
    replaced={IDS[3]: (IDS[0],)},
    moved=(Moved("ti-grains", 2, IDS[6], 3, 1, 7, (IDS[1], IDS[7])),),
    stands_for="9" * 64,
    tags=({"sample": "ti-grains", "version": 3, "tag": "paper", "action": "add"},),
    annotations=(
        {"sample": "ti-grains", "version": None, "target": "sample", "uuid": None, "key": "note", "value": "oxidised"},
    ),
)


def resealed(change: dict[str, Any], drop: str | None = None) -> bytes:
    """The full entry with some values changed, and a right hash."""
    values = json.loads(logentry.dump(FULL)[0])
    del values["blake3"]
    values.update(change)
    values.pop(drop, None)
    rest = b'",' + json.dumps(values).encode()[1:]
    return b'{"blake3":"' + blake3(rest).hexdigest().encode() + rest


def archive(**change: Any) -> dict[str, Any]:
    values = json.loads(logentry.dump(FULL)[0])
    return {"archives": [{**values["archives"][0], **change}]}


def test_an_entry_comes_back() -> None:
    data, body = logentry.dump(FULL)
    assert body is None
    assert logentry.load(data, where="here") == FULL
    assert logentry.digest_of(data, where="here") == json.loads(data)["blake3"]
    assert logentry.body_of(data, where="here") is None


def test_the_hash_stands_first_and_covers_the_rest() -> None:
    data, _ = logentry.dump(FULL)
    assert data.startswith(b'{"blake3":"')
    assert blake3(data[75:]).hexdigest() == data[11:75].decode()


def test_an_entry_needs_what_it_names() -> None:
    assert FULL.referenced() == ({IDS[0], IDS[1], IDS[7]}, {IDS[2], IDS[6]})


def test_a_long_list_goes_to_a_body(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logentry, "MAX_ENTRY_BYTES", 700)
    data, body = logentry.dump(FULL)
    assert body is not None
    digest, content = body
    assert len(data) <= 700
    assert logentry.body_of(data, where="here") == (digest, len(content))
    assert blake3(content).hexdigest() == digest
    assert logentry.load(data, content, where="here") == FULL


def test_a_million_condemned_objects_fit() -> None:
    ids = tuple(f"{number:032x}" for number in range(40_000))
    entry = replace(
        FULL,
        condemned_packs=ids,
        condemned_manifests=ids,
        restored=tuple(("a", n) for n in range(100_000)),
        replaced=dict.fromkeys(ids, (IDS[0],)),
    )
    data, body = logentry.dump(entry)
    assert len(data) < 2000
    assert body is not None
    assert logentry.load(data, body[1], where="here") == entry


def test_two_transactions_never_share_a_body(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logentry, "MAX_ENTRY_BYTES", 700)
    bodies = [logentry.dump(replace(FULL, transaction=name))[1] for name in ("t1", "t2")]
    assert bodies[0] is not None
    assert bodies[1] is not None
    assert bodies[0][0] != bodies[1][0]


def test_a_message_of_any_length_is_not_taken() -> None:
    with pytest.raises(InputError, match="fewer words"):
        logentry.dump(replace(FULL, message="x" * 2**20))


def test_a_body_is_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logentry, "MAX_ENTRY_BYTES", 700)
    data, body = logentry.dump(FULL)
    assert body is not None
    for wrong in (None, b"{}", body[1][:-1], body[1].replace(b"ti-grains", b"ti-brains")):
        with pytest.raises(DamagedLakeError, match="body"):
            logentry.load(data, wrong, where="here")


def test_a_body_cannot_say_what_the_entry_says(monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.dumps({"transaction": FULL.transaction, "number": 99, "previous": None, "tags": []}).encode()
    data = resealed({"body": {"blake3": blake3(body).hexdigest(), "bytes": len(body)}})
    found = logentry.load(data, body, where="here")
    assert (found.number, found.previous, found.tags) == (12, "b" * 64, ())


def test_a_body_of_another_transaction_is_refused() -> None:
    body = json.dumps({"transaction": "other"}).encode()
    data = resealed({"body": {"blake3": blake3(body).hexdigest(), "bytes": len(body)}})
    with pytest.raises(DamagedLakeError, match="another transaction"):
        logentry.load(data, body, where="here")


@pytest.mark.parametrize(
    "body",
    [5, {}, {"blake3": "../x", "bytes": 1}, {"blake3": "a" * 64, "bytes": 2**40}, {"blake3": "a" * 64, "bytes": -1}],
)
def test_a_hostile_body_reference_is_damage(body: object) -> None:
    with pytest.raises(DamagedLakeError):
        logentry.body_of(resealed({"body": body}), where="here")


def test_every_flipped_byte_and_every_cut_is_noticed() -> None:
    data, _ = logentry.dump(FULL)
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 1
        with pytest.raises(DamagedLakeError, match=r"^here: "):
            logentry.load(bytes(damaged), where="here")
        with pytest.raises(DamagedLakeError):
            logentry.load(data[:at], where="here")


def test_an_entry_of_a_newer_format_says_so() -> None:
    with pytest.raises(ReadOnlyError, match=r"format 2.*newer"):
        logentry.load(resealed({"format": 2}), where="here")


def test_unknown_fields_are_passed_over() -> None:
    assert logentry.load(resealed({"colour": "blue"} | archive(colour="blue")), where="here").archives[0] == ARCHIVE


def test_an_entry_longer_than_the_limit_is_refused() -> None:
    with pytest.raises(DamagedLakeError, match="longer"):
        logentry.load(resealed({"pad": "x" * 2**20}), where="here")


@pytest.mark.parametrize("missing", ["format", "transaction", "time", "who", "host", "tool"])
def test_a_missing_field_is_void(missing: str) -> None:
    entry = logentry.load(resealed({}, drop=missing), where="here")
    assert [void.what for void in entry.void] == [missing]
    assert entry.archives == FULL.archives


@pytest.mark.parametrize("hostile", [-1, 1.5, "12", True, 2**63, 10**400, float("inf"), None, []])
def test_an_entry_without_a_number_is_damage(hostile: object) -> None:
    with pytest.raises(DamagedLakeError, match=r"^here: "):
        logentry.load(resealed({"number": hostile}), where="here")


@pytest.mark.parametrize("hostile", ["b" * 63, 5, [], {}])
def test_a_hash_before_that_is_none_is_damage(hostile: object) -> None:
    with pytest.raises(DamagedLakeError, match=r"^here: "):
        logentry.load(resealed({"previous": hostile}), where="here")


_MOVED = {"sample": "a", "version": 1, "manifest": IDS[0], "first_group": 0, "groups": 1, "rows": 1, "needs": []}
_SAID = {"sample": "a", "version": None, "target": "sample", "uuid": None, "key": "note", "value": "x"}
_PACK = {"id": IDS[0], "kind": "json", "bytes": 500, "footer_bytes": 100, "blobs": 5, "raw_bytes": 900}


@pytest.mark.parametrize(
    "hostile",
    [
        {"format": "1x"},
        {"packs": 5},
        {"packs": [5]},
        {"packs": [{}]},
        {"packs": [_PACK | {"id": "../../x"}]},
        {"packs": [_PACK | {"bytes": -1}]},
        {"packs": [_PACK | {"bytes": "9"}]},
        {"packs": [_PACK | {"footer_bytes": 501}]},
        {"packs": [_PACK | {"footer_bytes": 0}]},
        {"packs": [_PACK | {"raw_bytes": 2**70}]},
        {"manifests": [{"id": IDS[0], "bytes": 1, "footer_bytes": 2}]},
        {"manifests": [{"id": "x"}]},
        archive(sample=""),
        archive(sample="../up"),
        archive(sample="a/../b"),
        archive(sample="/a"),
        archive(sample="a@b"),
        archive(sample="a\nb"),
        archive(sample="x" * 513),
        archive(version=0),
        archive(version=2**53),
        archive(first_group=2**31, groups=1),
        archive(needs=[-1]),
        archive(needs=[True]),
        archive(analyses="abc"),
        archive(warnings=[5]),
        archive(rows=float("nan")),
        archive(rows=10**400),
        archive(colour=[[[[[[[[[[[[[[[[[5]]]]]]]]]]]]]]]]]),
        archive(source=SOURCE | {"modified_ns": 2**63}),
        archive(recipe={"blobs": 5}),
        archive(recipe={"inline": "?"}),
        {"time": "yesterday"},
        {"time": "0001-01-01T00:00:00+23:00"},
        {"time": 5},
        {"message": 5},
        {"format": 0},
        {"format": -(10**30)},
        {"settled": [-1]},
        {"tags": [{"sample": "a", "tag": "b", "version": 1, "action": "both"}]},
        {"replaced": {IDS[0]: IDS[1]}},
        archive(needs=[99]),
        archive(needs=["0"]),
        archive(needs=5),
        archive(manifest="../x"),
        archive(manifest=None),
        archive(version=-1),
        archive(version="3"),
        archive(members=2**64),
        archive(sample=5),
        archive(source=None),
        archive(source=[1]),
        archive(source={"path": 5}),
        archive(source={"sha256": {}}),
        archive(source={"size": "9"}),
        archive(comment="xyz"),
        archive(rows=1e3),
        archive(sample="a\ud800"),
        {"who": "\udcff"},
        {"forgotten": [["a"]]},
        {"forgotten": [["a", -1]]},
        {"forgotten": [["a", 2**80]]},
        {"restored": 5},
        {"collected": [5]},
        {"condemned_packs": ["x"]},
        {"condemned_manifests": [{}]},
        {"replaced": {"x": []}},
        {"replaced": {IDS[0]: ["x"]}},
        {"replaced": []},
        {"tags": [5]},
        {"tags": [{"tag": "a"}]},
        {"tags": [{"sample": "a", "tag": "b", "version": "x"}]},
        {"annotations": [5]},
        {"annotations": [{"sample": "a"}]},
        {"annotations": [_SAID | {"sample": None}]},
        {"annotations": [_SAID | {"version": -1}]},
        {"annotations": [_SAID | {"version": "1"}]},
        {"annotations": [_SAID | {"key": 5}]},
        {"annotations": [_SAID | {"value": ["x"]}]},
        {"annotations": [_SAID | {"uuid": 5}]},
        {"annotations": [_SAID | {"value": "\ud800"}]},
        {"stands_for": "x"},
        {"moved": [5]},
        {"moved": [{}]},
        {"moved": [_MOVED | {"manifest": "../x"}]},
        {"moved": [_MOVED | {"needs": [99]}]},
        {"moved": [_MOVED | {"rows": -1}]},
        archive(origin=5),
        archive(origin=["a"]),
    ],
)
def test_a_hostile_value_spoils_no_more_than_its_item(hostile: dict[str, Any]) -> None:
    """The item is void and named; every other part of the entry is read as if nothing were wrong."""
    (field,) = hostile
    entry = logentry.load(resealed(hostile), where="here")
    assert len(entry.void) == 1
    assert entry.void[0].what.partition("[")[0] == field
    left: Any = {} if field in ("replaced",) else None if field in ("message", "stands_for") else ()
    left = "" if field in ("time", "who") else FORMAT if field == "format" else left
    assert replace(entry, void=(), **{field: left}) == replace(FULL, **{field: left})


@pytest.mark.parametrize("pack_ids", ["x", 5, [None], ["../x"], []])
def test_pack_ids_that_are_none_spoil_what_refers_to_them(pack_ids: object) -> None:
    entry = logentry.load(resealed({"pack_ids": pack_ids}), where="here")
    assert [void.what for void in entry.void] == ["archives[0]", "archives[1]", "moved[0]"]
    assert replace(entry, void=()) == replace(FULL, archives=(), moved=())


def test_a_good_item_beside_a_bad_one_counts() -> None:
    values = json.loads(logentry.dump(FULL)[0])
    good, other = values["archives"]
    entry = logentry.load(resealed({"archives": [good, {**good, "rows": "5"}, 7, other]}), where="here")
    assert entry.archives == FULL.archives
    assert [void.what for void in entry.void] == ["archives[1]", "archives[2]"]


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"blake3":"', b"\xff" * 200, b'{"blake3":"' + b"a" * 64])
def test_what_is_no_entry_is_damage(data: bytes) -> None:
    with pytest.raises(DamagedLakeError, match=r"^here: "):
        logentry.load(data, where="here")


def test_json_that_nests_for_ever_is_damage() -> None:
    rest = b'","format":1,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(DamagedLakeError):
        logentry.load(b'{"blake3":"' + blake3(rest).hexdigest().encode() + rest, where="here")

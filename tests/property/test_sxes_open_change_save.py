"""Open, change, save: whatever an archive holds and whatever is changed, everything else keeps its bytes."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from support.sxes_sources import CountingSource, sxes_source

from sxeslake.archive import open_container, open_group
from sxeslake.archive.sxes.documents import text as documents
from sxeslake.archive.sxes.documents.fields import read_analyses, read_condition, read_info, read_projects, read_state

texts = st.text(max_size=8)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8
)
objects = st.dictionaries(texts, values, max_size=4)
extra_types = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True), st.binary(max_size=50), max_size=3
)
loose_members = st.dictionaries(
    st.sampled_from(
        ["readme.txt", "extra/a/b.bin", "conditions/odd", "data/loose", "backgrounds/note.txt", "vendor.json"]
    ),
    st.binary(max_size=40),
    max_size=4,
)
changes = st.lists(
    st.tuples(st.sampled_from(["comment", "operator", "type", "analysis", "state"]), st.integers(0, 3), texts),
    max_size=5,
)


def messy(
    info: dict[str, object], metadata: dict[str, object], types: dict[str, bytes], loose: dict[str, bytes]
) -> CountingSource:
    """A map of four positions with fields, types and members that nobody knows."""
    source = sxes_source(seed=9, nx=2, ny=2)
    for path in [path for path in source.contents if path.endswith("info.json")]:
        source.contents[path] = json.dumps({**info, **json.loads(source.contents[path])}, ensure_ascii=True).encode()
    known = json.loads(source.contents["metadata.json"])
    known["analyses"][0] = {**metadata, **known["analyses"][0]}
    source.contents["metadata.json"] = json.dumps({**metadata, **known, "version": "0.1.0"}).encode()
    first = known["analyses"][0]["positionUuids"][0]
    new = {f"data/{first}/{name}.data": data for name, data in types.items() if name not in {"xes", "qlw", "sum"}}
    return CountingSource({**source.contents, **new, **loose})


@settings(deadline=None, max_examples=25)
@given(objects, objects, extra_types, loose_members, changes, st.sampled_from(["a.plzip", "a.pl7z", "a"]))
def test_all_but_the_changed_fields_survive(
    info: dict[str, object],
    metadata: dict[str, object],
    types: dict[str, bytes],
    loose: dict[str, bytes],
    edits: list[tuple[str, int, str]],
    name: str,
) -> None:
    source = messy(info, metadata, types, loose)
    expected = dict(source.contents)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        with open_group(source) as group:
            group.save(path)
        with open_group(path) as group:
            for what, number, text in edits:
                position = group.positions[number]
                if what in {"comment", "operator"}:
                    position.edit_info(**{what: text})
                    change(expected, position.folder + "info.json", what, text)
                elif what == "state":
                    position.edit_state(dwellTime=text)
                    change(expected, position.folder + "state.json", "dwellTime", text)
                elif what == "type":
                    position.set_raw("new", text.encode("utf-8", "replace"))
                    expected[position.folder + "new.data"] = text.encode("utf-8", "replace")
                else:
                    group.analyses[0].comment = text
                    fields = json.loads(expected["metadata.json"])
                    if fields["analyses"][0]["comment"] != text:
                        fields["analyses"][0]["comment"] = text
                        expected["metadata.json"] = documents.dump(fields)
            group.save()
        with open_container(path) as container:
            held = {each.path: container.read(at) for at, each in enumerate(container.members) if each.kind == "file"}
    assert held == expected


def change(contents: dict[str, bytes], path: str, key: str, value: str) -> None:
    """What an edit should make of a JSON member: one key, all else equal and in its place."""
    contents[path] = documents.dump({**json.loads(contents[path]), key: value})


@given(values)
def test_readers_take_anything(value: object) -> None:
    for reader in (read_state, read_condition, read_info, read_projects, read_analyses):
        found, of_nothing = reader(value), reader({})
        assert type(found) is type(of_nothing)
        assert found == of_nothing or isinstance(value, dict)


@given(st.binary(max_size=60))
def test_parsing_takes_any_bytes(raw: bytes) -> None:
    document = documents.parse("x.json", raw)
    assert document.raw == raw
    assert document.value is None or document.problem is None or document.fields == {} or document.encoding is None


@given(objects)
def test_dump_and_parse_agree(value: dict[str, object]) -> None:
    document = documents.parse("x.json", documents.dump(value))
    assert document.value == value
    assert document.problem is None

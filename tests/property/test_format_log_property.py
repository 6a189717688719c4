"""Log entries: round trips of anything a commit can say; no flipped byte is ever believed."""

from __future__ import annotations

from datetime import datetime
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sxeslake.errors import DamagedLakeError
from sxeslake.format import logentry
from sxeslake.format.logentry import ArchiveAdded, Entry, ManifestAdded, Moved, PackAdded

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
COUNT = st.integers(0, 2**63 - 1)
NUMBER = st.integers(1, logentry.MAX_VERSION)
NAME = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(logentry.is_sample_name)
GROUPS = st.integers(0, 2**30)
TIME = st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30)).map(datetime.isoformat)
ID = st.binary(min_size=16, max_size=16).map(bytes.hex)
DIGEST = st.binary(min_size=32, max_size=32).map(bytes.hex)
FOOTED = st.tuples(st.integers(1, 2**40), st.integers(0, 2**40)).map(lambda pair: (sum(pair), pair[0]))
SOURCES = st.fixed_dictionaries(
    {
        "path": TEXT,
        "host": TEXT,
        "name": TEXT,
        "container": st.sampled_from(["zip", "7z", "folder"]),
        "size": COUNT,
        "modified_ns": st.integers(-(2**63), 2**63 - 1),
        "sha256": st.none() | DIGEST,
    }
)
ARCHIVES = st.builds(
    ArchiveAdded,
    NAME,
    NUMBER,
    ID,
    GROUPS,
    GROUPS,
    COUNT,
    DIGEST,
    DIGEST,
    TEXT,
    COUNT,
    COUNT,
    COUNT,
    COUNT,
    COUNT,
    COUNT,
    SOURCES,
    st.lists(TEXT, max_size=2).map(tuple),
    st.lists(TEXT, max_size=2).map(tuple),
    st.lists(ID, max_size=3, unique=True).map(tuple),
    st.binary(max_size=4).map(bytes.hex),
    st.dictionaries(TEXT.filter(lambda key: key != "time"), st.none() | TEXT, max_size=2),
)
MOVED = st.builds(Moved, TEXT, COUNT, ID, GROUPS, GROUPS, COUNT, st.lists(ID, max_size=3, unique=True).map(tuple))
PACKS = st.builds(lambda one, footed, rest: PackAdded(one, "json", *footed, *rest), ID, FOOTED, st.tuples(COUNT, COUNT))
MANIFESTS = st.builds(
    lambda one, footed, hashes: ManifestAdded(one, *footed, *hashes), ID, FOOTED, st.tuples(DIGEST, DIGEST)
)
NAMES = st.lists(st.tuples(TEXT, COUNT), max_size=3).map(tuple)
IDS = st.lists(ID, max_size=3).map(tuple)
ENTRIES = st.builds(
    Entry,
    COUNT,
    st.none() | DIGEST,
    TEXT,
    TIME,
    TEXT,
    TEXT,
    TEXT,
    st.none() | TEXT,
    packs=st.lists(PACKS, max_size=2).map(tuple),
    manifests=st.lists(MANIFESTS, max_size=2).map(tuple),
    archives=st.lists(ARCHIVES, max_size=3).map(tuple),
    forgotten=NAMES,
    restored=NAMES,
    collected=NAMES,
    condemned_packs=IDS,
    condemned_manifests=IDS,
    replaced=st.dictionaries(ID, IDS, max_size=2),
    moved=st.lists(MOVED, max_size=2).map(tuple),
    stands_for=st.none() | DIGEST,
    tags=st.lists(
        st.fixed_dictionaries(
            {"sample": TEXT, "tag": TEXT, "version": COUNT, "action": st.sampled_from(["add", "remove"])}
        ),
        max_size=2,
    ).map(tuple),
)


@given(ENTRIES)
def test_entries_come_back(entry: Entry) -> None:
    data, body = logentry.dump(entry)
    assert body is None
    assert logentry.load(data, where="here") == entry


@given(ENTRIES)
def test_entries_with_a_body_come_back(entry: Entry) -> None:
    with mock.patch.object(logentry, "MAX_ENTRY_BYTES", 0), pytest.raises(Exception, match="fewer words"):
        logentry.dump(entry)
    with mock.patch.object(logentry, "MAX_ENTRY_BYTES", 1200):
        data, body = logentry.dump(entry)
        assert logentry.load(data, body and body[1], where="here") == entry
        assert logentry.body_of(data, where="here") == (body and (body[0], len(body[1])))


@settings(max_examples=100)
@given(ENTRIES, st.data())
def test_a_flipped_byte_is_noticed(entry: Entry, draw: st.DataObject) -> None:
    data = bytearray(logentry.dump(entry)[0])
    at, bits = draw.draw(st.integers(0, len(data) - 1)), draw.draw(st.integers(1, 255))
    data[at] ^= bits
    with pytest.raises(DamagedLakeError):
        logentry.load(bytes(data), where="here")


@given(ENTRIES, st.data())
def test_a_flipped_byte_of_a_body_is_noticed(entry: Entry, draw: st.DataObject) -> None:
    with mock.patch.object(logentry, "MAX_ENTRY_BYTES", 1200):
        data, body = logentry.dump(entry)
        if body is None:
            return
        content = bytearray(body[1])
        content[draw.draw(st.integers(0, len(content) - 1))] ^= draw.draw(st.integers(1, 255))
        with pytest.raises(DamagedLakeError):
            logentry.load(data, bytes(content), where="here")

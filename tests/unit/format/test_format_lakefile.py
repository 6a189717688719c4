"""`lake.json`: written once, and what is not understood is not written to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sxeslake.errors import DamagedLakeError, ReadOnlyError
from sxeslake.format.lakefile import FORMAT, MAX_LAKEFILE_BYTES, LakeParameters

MADE = LakeParameters("2f" * 16, "2026-11-23T02:34:57Z")


def changed(**changes: Any) -> bytes:
    """The file with some values changed, without a hash."""
    values = {**json.loads(MADE.dump()), **changes}
    del values["blake3"]
    return json.dumps(values).encode()


def test_it_comes_back() -> None:
    found = LakeParameters.load(MADE.dump(), where="here")
    assert found == MADE
    found.check_writable("here")


def test_a_flipped_byte_is_noticed_or_changes_nothing() -> None:
    data = MADE.dump()
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 1
        try:
            assert LakeParameters.load(bytes(damaged), where="here") == MADE
        except DamagedLakeError:
            continue
        assert at < 10, "past the name of the hash everything is proved"


def test_unknown_keys_are_passed_over() -> None:
    assert LakeParameters.load(changed(colour="blue"), where="here") == MADE


def test_a_newer_format_is_read_and_not_written() -> None:
    found = LakeParameters.load(changed(format=FORMAT + 1), where="s3://x")
    with pytest.raises(ReadOnlyError, match=r"^s3://x: this lake has format 2, this version writes format 1\. .*newer"):
        found.check_writable("s3://x")


def test_a_newer_format_that_cannot_be_read_says_so() -> None:
    with pytest.raises(ReadOnlyError, match="format 9, which this version cannot read"):
        LakeParameters.load(changed(format=9, chunks={"rule": "content-defined"}), where="here")


def test_an_unknown_feature_stops_reading() -> None:
    with pytest.raises(ReadOnlyError, match="unknown to this version: encryption, frost"):
        LakeParameters.load(changed(features=["frost", "encryption"]), where="here")


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff\xfe",
        b'{"format": 1}',
        b"[" * 5000,
        changed(format="one"),
        changed(format=None),
        changed(format=0),
        changed(format=-3),
        changed(hash="md5"),
        changed(chunks=None),
        changed(chunks={"rule": "fixed"}),
        changed(chunks={"rule": "fixed", "bytes": 1}),
        changed(chunks={"rule": "fixed", "bytes": 2**40}),
        changed(chunks={"rule": "fixed", "bytes": -1}),
        MADE.dump().replace(b"4194304", b"1e999"),
        changed(pad="x" * MAX_LAKEFILE_BYTES),
    ],
)
def test_hostile_values_are_damage(hostile: bytes) -> None:
    with pytest.raises(DamagedLakeError, match=r"^here: "):
        LakeParameters.load(hostile, where="here")

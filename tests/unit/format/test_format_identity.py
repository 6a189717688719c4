"""Identities: what counts as the same archive, and what does not."""

from __future__ import annotations

from dataclasses import replace

from blake3 import blake3

from sxeslake.format.identity import content_id, layout_id
from sxeslake.model import Member

EMPTY = blake3(b"").digest()
A = (Member("a", "file", 3, 5, 1, 7, 9), b"a" * 32)
B = (Member("b", "directory"), bytes(32))


def test_contents_are_names_and_hashes_only() -> None:
    other = (replace(A[0], modified_ns=None, attributes=None, dos_time=None, crc32=None, raw_name=b"x"), A[1])
    assert content_id([A, B]) == content_id([other, B])


def test_every_part_of_the_content_counts() -> None:
    variants = [
        [A, B],
        [A],
        [B],
        [],
        [A, B, B],
        [(A[0], b"b" * 32), B],
        [(replace(A[0], path="c"), A[1]), B],
        [(replace(A[0], size=4), A[1]), B],
        [A, (replace(B[0], kind="file"), bytes(32))],
    ]
    assert len({content_id(variant) for variant in variants}) == len(variants)


def test_every_part_of_the_layout_counts() -> None:
    member = A[0]
    variants = [
        [member, B[0]],
        [B[0], member],
        [replace(member, modified_ns=6), B[0]],
        [replace(member, modified_ns=None), B[0]],
        [replace(member, attributes=0), B[0]],
        [replace(member, attributes=None), B[0]],
        [replace(member, dos_time=0), B[0]],
        [replace(member, raw_name=b"x"), B[0]],
        [replace(member, size=2), B[0]],
        [replace(member, path="ax"), B[0]],
    ]
    assert len({layout_id(variant) for variant in variants}) == len(variants)


def test_names_cannot_flow_into_one_another() -> None:
    first = [(Member("ab", "file", 0), EMPTY), (Member("c", "file", 0), EMPTY)]
    second = [(Member("a", "file", 0), EMPTY), (Member("bc", "file", 0), EMPTY)]
    assert content_id(first) != content_id(second)
    assert layout_id([Member("ab", "file", raw_name=b"c")]) != layout_id([Member("a", "file", raw_name=b"bc")])


def test_a_checksum_is_no_part_of_the_layout() -> None:
    assert layout_id([A[0]]) == layout_id([replace(A[0], crc32=None)])

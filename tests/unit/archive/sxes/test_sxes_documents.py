"""JSON of any encoding and any state of repair."""

from __future__ import annotations

import pytest

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.text import check_encoding, dump, parse
from sxeslake.errors import UsageError


def test_utf8_with_and_without_mark() -> None:
    assert parse("a", '{"comment":"µ"}'.encode()).fields == {"comment": "µ"}
    marked = parse("a", b'\xef\xbb\xbf{"x":1}')
    assert (marked.fields, marked.problem) == ({"x": 1}, None)
    assert dump(marked.fields, marked.encoding) == b'\xef\xbb\xbf{"x":1}'


@pytest.mark.parametrize(("encoding", "word"), [("cp932", "ソース"), ("cp437", "Størelse µ".replace("ø", "ö"))])
def test_legacy_text_reads_and_writes_in_its_own_encoding(encoding: str, word: str) -> None:
    raw = f'{{"comment":"{word}"}}'.encode(encoding)
    document = parse("a", raw, encoding)
    assert document.fields == {"comment": word}
    assert dump(document.fields, document.encoding) == raw


def test_legacy_text_without_a_hint_is_said_and_not_writable() -> None:
    document = parse("a", '{"comment":"grün"}'.encode("cp437"))
    assert document.encoding is None
    assert document.problem is not None
    assert "encoding=" in document.problem
    assert document.fields["comment"] == "gr�n"


def test_text_that_an_encoding_lacks_is_escaped() -> None:
    assert dump({"a": "µソ\ud800"}, "cp437") == b'{"a":"\\u00b5\\u30bd\\ud800"}'
    assert dump({"a": "\ud800"}) == b'{"a":"\\ud800"}'


def test_an_encoding_must_exist() -> None:
    assert check_encoding("cp932") == "cp932"
    with pytest.raises(UsageError, match="unknown encoding cp93"):
        check_encoding("cp93")


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"\x00\x01\x02", b"[" * 100_000, b'{"n":' + b"9" * 5000 + b"}", b"\xff\xfe\x00\xd8"]
)
def test_broken_json_is_a_problem_not_a_crash(raw: bytes) -> None:
    document = parse("a", raw)
    assert document.value is None
    assert document.problem
    assert document.raw == raw


def test_a_list_is_not_an_object() -> None:
    document = parse("a", b"[1]")
    assert document.value == [1]
    assert document.fields == {}
    assert document.problem == "holds a JSON list where an object belongs"


@pytest.mark.parametrize(
    ("version", "newer"),
    [
        (None, False),
        ("0.1.0", False),
        ("0.1.9", False),
        ("0.0.3", False),
        ("0.2", True),
        ("1", True),
        ("next", True),
        ("1²", True),
    ],
)
def test_newer_versions(version: str | None, newer: bool) -> None:
    assert layout.is_newer(version) is newer


def test_shared_paths_and_their_variants() -> None:
    assert layout.shared_candidates("backgrounds", "ab") == ("backgrounds/ab", "backgrounds/ab.json")
    assert layout.shared_candidates("conditions", "ab") == ("conditions/ab.json", "conditions/ab")
    assert layout.shared_digest("backgrounds/ab.json") == layout.shared_digest("backgrounds/ab") == "ab"

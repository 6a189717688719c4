"""Names, comments, operators and annotations from anywhere are text on every page, and nothing else."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from starlette.testclient import TestClient
from support.part_lakes import Session, Spot, contents
from support.small_lakes import zip_of

import sxeslake
from sxeslake.lake import Lake
from sxeslake.web.app import create_app
from sxeslake.web.failures import failure_of

SCRIPT = "<script>alert(1)</script>"
QUOTES = "\" onmouseover='x' `y` </title> & {{ 7*7 }} {% raw %} %2e"
BIDI = "gnp\u202etxt\u2066 \u200b\u0007end"
LONG = "lång " * 820  # 4 KB
HOSTILE = (SCRIPT, QUOTES, BIDI, LONG)
PAGES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("find", {}), ("find", {"text": "{}"}), ("find", {"operator": "{}"}), ("archive", {"of": "{sample}"}),
    ("analysis", {"of": "{sample}"}), ("position", {"of": "{sample}@1:1"}), ("compare", {"p": "{sample}@1:1"}),
    ("question", {"q": "analyses-by-condition"}), ("question", {"q": "find-text", "text": "{}"}),
    ("question", {"q": "{}"}), ("sql", {"sql": "SELECT * FROM analyses"}), ("sql", {"sql": "{}"}), ("overview", {}),
    ("rows", {"table": "{}"}), ("archive", {"of": "{}"}), ("compare", {"p": "{}:1"}),
)  # fmt: skip


@pytest.fixture(scope="module", params=HOSTILE, ids=["script", "quotes", "bidi", "long"])
def hostile(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Lake, str, str]]:
    """A lake in which everything that can have a name has this one."""
    text: str = request.param
    session = Session(
        1, [Spot(1, 1, comment=text), Spot(2, 2, comment=text)], name=text,
        more={"operator": text, "comment": text, "instrument": text},
    )  # fmt: skip
    archive = zip_of(tmp_path_factory.mktemp("in") / "x.plzip", contents([session]))
    sample = text.replace("/", "|")[:200].strip()
    with sxeslake.init(f"memory://{uuid4().hex}") as lake:
        added = lake.ingest(archive, sample=sample if sample.isprintable() else None, message=text[:200])
        name = added.archives[0].sample
        assert name is not None, added.archives[0].error
        lake.annotate(name, {"material": text[:1000].replace("\u0007", "")})
        yield lake, text, name


@pytest.mark.parametrize(("page", "words"), PAGES)
def test_a_hostile_name_is_text(hostile: tuple[Lake, str, str], page: str, words: dict[str, str]) -> None:
    lake, text, sample = hostile
    client = TestClient(create_app({"epma": lake}), base_url="http://localhost/epma/")
    asked = {name: value.replace("{sample}", sample).replace("{}", text) for name, value in words.items()}
    for address in (page, f"{page}.json"):
        answer = client.get(address, params=asked)
        assert answer.status_code in (200, 400, 404, 422), answer.text
        if "html" not in answer.headers["content-type"]:
            continue
        assert "<script>" not in answer.text
        assert not re.search(r"<[^>]*\sonmouseover=", re.sub(r'"[^"]*"', '""', answer.text))
        assert not set(answer.text) & {"\u202e", "\u2066", "\u200b", "\u0007"}


def test_the_name_itself_is_to_be_read(hostile: tuple[Lake, str, str]) -> None:
    lake, text, sample = hostile
    client = TestClient(create_app({"epma": lake}), base_url="http://localhost/epma/")
    page = html.unescape(client.get("archive", params={"of": sample}).text)
    assert sample in page
    assert (text.strip() if text.isprintable() else r"gnp\u202etxt") in page


def test_downloads_have_names_that_no_header_breaks(hostile: tuple[Lake, str, str]) -> None:
    lake, _, sample = hostile
    client = TestClient(create_app({"epma": lake}), base_url="http://localhost/epma/")
    answer = client.get("download", params={"of": sample})
    assert answer.status_code == 200
    assert re.fullmatch(
        r"attachment; filename=\"[\w.@+ -]+\"; filename\*=UTF-8''[\w.%~-]+", answer.headers["content-disposition"]
    )
    member = client.get("member", params={"of": sample, "path": "notes/readme.txt"})
    assert member.headers["content-disposition"].startswith("attachment")
    assert member.content == b"kept by nobody"


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("the folder /home/curie/lake is gone", "The folder … is gone"),
        ("C:\\Users\\curie\\lake is gone", "… is gone"),
        ("s3://key:secret@host/bucket is away", "S3://***@host/bucket is away"),
        ("file:///srv/epma/lake is away", "… is away"),
        ("no archive is called '2019/map'.", "No archive is called '2019/map'."),
    ],
)
def test_no_path_and_no_secret_is_told(told: str, shown: str) -> None:
    assert failure_of(sxeslake.StorageError(told)).what == shown
    assert failure_of(OSError(told)).what == "This page could not be made."


def test_places_of_lakes_are_told_to_nobody() -> None:
    error = sxeslake.UnreachableError("s3://bucket/lake does not answer", where=Path("/srv/lake"))
    assert failure_of(error, ["s3://bucket/lake"]).what == "The lake does not answer"

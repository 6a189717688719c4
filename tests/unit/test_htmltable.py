"""Tables in notebooks: escaped, whoever named the sample."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

import sxeslake
from sxeslake.text.html import HtmlRecord, Rows, clock, counted, html_facts, html_rows, html_table
from sxeslake.views import Samples


def test_everything_is_escaped() -> None:
    page = html_table(["<a>"], [["<script>\x1b"], [None]], caption="A & B", below=["x < y", "z"])
    assert page == (
        "<table><caption>A &amp; B</caption><thead><tr><th>&lt;a&gt;</th></tr></thead>"
        "<tbody><tr><td>&lt;script&gt;\\x1b</td></tr><tr><td></td></tr></tbody></table><p>x &lt; y<br>z</p>"
    )


def test_a_lake_and_its_samples_show_themselves(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("a")
    with sxeslake.init(str(tmp_path / "lake")) as lake:
        assert "0 samples, 0 versions" in lake._repr_html_()
        lake.ingest(tmp_path / "notes", tree=True, sample="<b>bold</b>")
        samples = lake.ls()
        assert [row.sample for row in samples] == ["<b>bold</b>"]
        page = lake._repr_html_()
        assert f"<caption>Lake {lake.url}, commit 1: 1 sample, 1 version</caption>" in page
        for text in (page, samples._repr_html_()):
            assert "<td>&lt;b&gt;bold&lt;/b&gt;</td>" in text
            assert "<b>" not in text
        many = Samples(list(samples) * 51)
        assert "51 rows, the first 50 shown" in many._repr_html_()
        assert many._repr_html_().count("<tr>") == 51


@dataclass(frozen=True, slots=True)
class Part(HtmlRecord):
    name: str
    bytes_raw: int = 0
    sha256: str = "00ff"


@dataclass(frozen=True, slots=True)
class Whole(HtmlRecord):
    ok: bool = True
    at: datetime = datetime(2018, 4, 12, 13, 57, tzinfo=UTC)
    share: float = 0.123456789
    words: list[str] = field(default_factory=lambda: ["<i>", "b"])
    parts: list[Part] = field(default_factory=lambda: [Part("<script>", 1_500_000), Part("y" * 400)])
    nothing: str | None = None


@dataclass(frozen=True, slots=True)
class Chosen(Part):
    html_columns: ClassVar[dict[str, str]] = {"sha256": "SHA-256", "name": "file"}


def test_a_record_is_its_facts_and_a_table_of_what_it_lists() -> None:
    made = Whole()._repr_html_()
    for fact in (
        "<caption>Whole</caption>", "<th>ok</th><td>yes</td>", "<th>at</th><td>2018-04-12 13:57 UTC</td>",
        "<th>share</th><td>0.12346</td>", "<td>&lt;i&gt;; b</td>", "<caption>parts: 2</caption>",
        "<th>name</th><th>bytes raw</th>", "<td>&lt;script&gt;</td><td>1.50 MB</td>", f"<td>{'y' * 299}…</td>",
    ):  # fmt: skip
        assert fact in made
    assert "nothing" not in made
    assert "00ff" not in made


def test_a_list_of_records_shows_what_they_say_people_read() -> None:
    assert "<th>SHA-256</th><th>file</th>" in Rows([Chosen("a")])._repr_html_()
    assert "no rows" in Rows[Part]()._repr_html_()
    many = html_rows([Part(str(number)) for number in range(60)])
    assert many.count("<tr>") == 51
    assert "60 rows, the first 50 shown" in many


def test_short_forms() -> None:
    assert [counted(1, "analysis"), counted(2, "analysis"), counted(1_000, "member")] == [
        "1 analysis", "2 analyses", "1,000 members",
    ]  # fmt: skip
    assert clock(datetime(2018, 4, 12, 13, 57)) == "2018-04-12 13:57"
    assert html_facts({"a": None, "b": "", "c": {"<x>": 1}}) == (
        "<table><tbody><tr><th>c</th><td>&lt;x&gt;: 1</td></tr></tbody></table>"
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the verbs of a lake give whose sample, file and annotation attack."""
    folder = tmp_path_factory.mktemp("results")
    name, bad = "<script>alert(1)</script>", "<script>x<&"
    (folder / "notes").mkdir()
    (folder / "notes" / bad).write_text("a")
    with sxeslake.init(str(folder / "lake")) as lake, sxeslake.init(str(folder / "other")) as other:
        found: dict[str, Any] = {"ingest": lake.ingest(folder / "notes", tree=True, sample=name, message=bad)}
        found["annotate"] = lake.annotate(name, {"note": bad})
        (folder / "notes" / "b.txt").write_text("b")
        found["survey"] = lake.survey(folder / "notes", tree=True)
        lake.ingest(folder / "notes", tree=True, sample=name)
        found |= {
            "audit": lake.audit(folder / "notes", tree=True), "show": lake.show(name), "ls": lake.ls()[0],
            "members": Rows(lake.members(name)), "stats": lake.stats(), "diff": lake.diff(f"{name}@1", name),
            "pull": lake.pull(name, folder / "a.zip"), "sync": lake.sync(name, folder / "synced"),
            "part": lake.pull_part(name, folder / "b.zip", members=["b*"]), "verify": lake.verify(),
            "drill": lake.drill(percent=100), "doctor": lake.doctor(), "tag": lake.tag(name, "paper"),
            "hold": lake.hold(name), "release": lake.release(name), "exact": lake.exact(name),
            "forget": lake.forget(name, keep_last=1, dry_run=True), "gc": lake.gc(dry_run=True),
            "tidy": lake.tidy(dry_run=True), "repair": lake.repair(dry_run=True), "copy": lake.copy_to(other),
            "checkpoint": lake.checkpoint(), "published": lake.publish_tables(),
            "rebuilt": lake.rebuild_catalog(), "log": Rows(lake.log()),
            "rename": lake.rename(name, bad), "queries": lake.queries(), "schema": Rows(lake.schema()),
            "conditions": lake.conditions(), "find": lake.find("script"),
        }  # fmt: skip
    return found


def test_every_result_shows_itself_and_nothing_in_it_is_obeyed(results: dict[str, Any]) -> None:
    attacked = 0
    for name, result in results.items():
        page = result._repr_html_()
        assert page.startswith("<table>"), name
        assert "<script" not in page, name
        assert set(re.findall(r"</?(\w+)", page)) <= {"table", "caption", "thead", "tbody", "tr", "th", "td", "p", "br"}
        attacked += "&lt;script" in page
    assert attacked > 12

"""Tables in notebooks: escaped, whoever named the sample."""

from __future__ import annotations

from pathlib import Path

import sxeslake
from sxeslake.htmltable import html_table
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

"""Files of others are unchanged, named with their licences, and the pages ask nobody else for anything."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import sxeslake

WEB = Path(sxeslake.__file__).parent / "web"
VENDOR = WEB / "static" / "vendor"


def test_vendored_files_are_those_of_the_list() -> None:
    lines = [line.split("  ") for line in (VENDOR / "SHA256SUMS").read_text().splitlines()]
    listed = {name: digest for digest, name in lines}
    there = {path.name for path in VENDOR.iterdir()} - {"SHA256SUMS", "README.md"}
    assert set(listed) == there
    for name, digest in listed.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest, name


def test_every_vendored_library_has_its_licence() -> None:
    about = (VENDOR / "README.md").read_text(encoding="utf-8")
    for name in ("htmx", "uPlot"):
        assert f"{name}.LICENSE" in about
        assert len((VENDOR / f"{name}.LICENSE").read_text()) > 500


def test_no_page_names_another_host_and_none_has_script_or_style_inside() -> None:
    own = [*(WEB / "templates").iterdir(), *(path for path in (WEB / "static").iterdir() if path.is_file())]
    assert len(own) > 10
    for path in own:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|//cdn|@import", text), path.name
        if path.suffix == ".html":
            assert not re.search(r"<script>|<style|\sstyle=|\son[a-z]+=|javascript:", text), path.name
        if path.suffix == ".js":
            assert not re.search(r"\beval\(|new Function|innerHTML|document\.write", text), path.name

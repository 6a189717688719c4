"""`identify` and `formats`: what files of instruments are, on a terminal and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sxeslake.cli.documents import FORMATS, IDENTIFY
from sxeslake.cli.run import run
from sxeslake.vendor.readers import READERS

Capture = pytest.CaptureFixture[str]

SPECTRUM = (
    b"#FORMAT      : EMSA/MAS Spectral Data File\r\n#VERSION     : 1.0\r\n#NPOINTS     : 2\r\n#XPERCHAN    : 1\r\n\
#OFFSET      : 0\r\n#DATATYPE    : Y\r\n#XUNITS      : eV\r\n#SPECTRUM    :\r\n1.0,\r\n2.0,\r\n#ENDOFDATA   :\r\n"
)


@pytest.fixture
def session(tmp_path: Path) -> Path:
    folder = tmp_path / "session"
    (folder / "spots").mkdir(parents=True)
    (folder / "spots" / "a.psmsa").write_bytes(SPECTRUM)
    (folder / "notes.docx").write_bytes(b"a text after all")
    (folder / "x.pts").write_bytes(b"\x30\x01\0\0PTTDFILE" + bytes(100))
    (folder / "wrong.jpg").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
    return folder


def test_a_folder_is_told_by_content(session: Path, capsys: Capture) -> None:
    assert run(["identify", str(session), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert all(tuple(row) == IDENTIFY for row in rows)
    found = {Path(row["path"]).relative_to(session).as_posix(): row for row in rows}
    assert found["spots"]["reader"] == "emsa"
    assert found["spots"]["files"] == ["spots/a.psmsa"]
    spectrum_image = found["x.pts"]
    assert (spectrum_image["kind"], spectrum_image["reader"]) == (
        "JEOL Analysis Station spectrum image", "rosettasciio"
    )  # fmt: skip
    assert found["."]["files"] == ["wrong.jpg"]
    assert found["."]["notes"] == ["PNG named .jpg"]
    assert "named .docx" in found["notes.docx"]["notes"][0]
    assert sorted(file for row in rows for file in row["files"]) == [
        "notes.docx", "spots/a.psmsa", "wrong.jpg", "x.pts"
    ]  # fmt: skip


def test_a_person_sees_a_line_each_and_a_sum(session: Path, capsys: Capture) -> None:
    assert run(["identify", str(session), str(session / "x.pts")]) == 0
    said = capsys.readouterr()
    assert "EMSA/MAS" in said.out
    assert "4 of 5 files recognised" in said.err


def test_a_missing_path_is_named(tmp_path: Path, capsys: Capture) -> None:
    assert run(["identify", str(tmp_path), str(tmp_path / "nowhere")]) == 4
    said = capsys.readouterr()
    assert "nowhere" in said.err
    assert not said.out


def test_every_reader_is_listed_with_how_it_was_verified(capsys: Capture) -> None:
    assert run(["formats", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [tuple(row) for row in rows] == [FORMATS] * len(READERS)
    assert all(row["verified"] for row in rows)
    assert run(["formats"]) == 0
    assert all(reader.title in " ".join(capsys.readouterr().out.split()) for reader in READERS[:1])

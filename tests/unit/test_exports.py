"""Exports, judged by the programs that read them."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import hyperspy.api as hs
import numpy as np
import openpyxl
import pandas as pd
import pytest
import rsciio.msa
import xarray as xr
from rocrate.rocrate import ROCrate
from support.vendor_files import seen_by, values_of

from sxeslake.archive import synthetic_facility
from sxeslake.cli.run import run
from sxeslake.errors import AlreadyExistsError, InputError, MissingExtraError, NotFoundError, UsageError
from sxeslake.exports.table import write_csv
from sxeslake.lake import Lake, init
from sxeslake.reading.source import VersionSource
from sxeslake.vendor.readers.hmsa import Hmsa
from sxeslake.vendor.tree import FolderTree

REF = "2020/steel carbide@1"
MAP = "2019/chalcopyrite map@1"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    facility = synthetic_facility(tmp_path_factory.mktemp("facility"), nx=4, ny=3)
    with init(str(tmp_path_factory.mktemp("lake"))) as opened:
        opened.ingest(facility[0].parents[1], exact="never")
        yield opened


def test_a_csv_has_the_spectra_their_axes_and_their_conditions(lake: Lake, tmp_path: Path) -> None:
    report = lake.export(MAP, tmp_path / "map.csv", to="csv", positions="1..3", analysis=1)
    expected = lake.spectra("qlw", MAP, positions="1..3", analysis=1)
    table = pd.read_csv(tmp_path / "map.csv", comment="#")
    assert list(table.columns) == ["channel", "wavelength_angstrom", "energy_ev", *(row.name for row in expected.rows)]
    assert np.array_equal(table.iloc[:, 3:].to_numpy().T, expected.values)
    assert np.array_equal(table["energy_ev"], expected.axis("energy").values)
    assert "# accelerating_voltage_kv,,,5.0,5.0,5.0\n" in (tmp_path / "map.csv").read_text(encoding="utf-8")
    assert (report.positions, report.axis_source) == (3, expected.axis("energy").source)
    assert any("not measured" in warning for warning in report.warnings)
    assert report.files[0].sha256 == hashlib.sha256((tmp_path / "map.csv").read_bytes()).hexdigest()


def test_no_cell_of_a_csv_begins_as_a_formula_or_ends_a_line(tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    with path.open("wb") as file:
        write_csv(file, ["a\n=b"], [["over", "=c"]], ["=d", 'e,"#\nf'], [[1.5, "+g"]])
    assert path.read_text().splitlines() == ["# a\\n=b", "# over,'=c", '\'=d,"e,""#\\nf"', "1.5,'+g"]
    with path.open("wb") as file:
        write_csv(file, [], [], ["=d"], [], raw=True)
    assert path.read_text() == "=d\n"


@pytest.mark.parametrize("to", ["csv", "xlsx"])
def test_a_region_is_a_row_a_position(lake: Lake, tmp_path: Path, to: str) -> None:
    out = tmp_path / f"roi.{to}"
    report = lake.export(None, out, to=to, roi=(390, 400, "eV"))  # type: ignore[arg-type]
    expected = lake.roi(390, 400)
    table = pd.read_csv(out, comment="#") if to == "csv" else pd.read_excel(out)
    assert np.array_equal(table["roi"], expected.values)
    assert table["stage_x_mm"].tolist() == [row.stage_x_mm for row in expected.rows]
    assert report.positions == len(expected)
    assert "left out" in report.warnings[0]


def test_a_workbook_has_spectra_and_positions(lake: Lake, tmp_path: Path) -> None:
    lake.export(MAP, tmp_path / "map.xlsx", to="xlsx", positions="1..2")
    expected = lake.spectra("qlw", MAP, positions="1..2")
    table = pd.read_excel(tmp_path / "map.xlsx", sheet_name="spectra")
    assert np.array_equal(table.iloc[:, -len(expected) :].to_numpy().T, expected.values)
    book = openpyxl.load_workbook(tmp_path / "map.xlsx", read_only=True)
    assert book.sheetnames == ["spectra", "positions", "about"]
    book.close()


@pytest.mark.parametrize("data_type", ["qlw", "spectrum"])
def test_rosettasciio_reads_the_same_values_from_msa(lake: Lake, tmp_path: Path, data_type: str) -> None:
    lake.export(MAP, tmp_path / "spot.msa", to="msa", positions=3, analysis=1, data_type=data_type)
    expected = lake.spectra(data_type, MAP, positions=3, analysis=1)
    (found,) = rsciio.msa.file_reader(tmp_path / "spot.msa")
    assert np.array_equal(found["data"], expected.values[0])
    said = found["original_metadata"]
    assert said["BEAMKV   -kV"] == expected.rows[0].accelerating_voltage_kv
    assert said["XPOSITION-mm"] == expected.rows[0].stage_x_mm
    assert said["NPOINTS"] == expected.values.shape[1]
    if data_type == "qlw":
        (axis,) = found["axes"]
        made = axis["offset"] + axis["scale"] * np.arange(axis["size"])
        assert axis["units"] == "Angstrom"
        assert np.allclose(made, expected.axis("wavelength").values, rtol=1e-9)


@pytest.mark.parametrize("data_type", ["qlw", "spectrum"])
@pytest.mark.parametrize("positions", ["3", "1,3,5", None])
def test_our_own_reader_reads_the_same_values_from_hmsa(
    lake: Lake, tmp_path: Path, data_type: str, positions: str | None
) -> None:
    out = tmp_path / "out.hmsa"
    report = lake.export(MAP, out, to="hmsa", positions=positions, analysis=1, data_type=data_type)
    expected = lake.spectra(data_type, MAP, positions=positions, analysis=1)
    tree = FolderTree(tmp_path)
    seen = seen_by(Hmsa(), tree)
    assert sorted(each.path for each in report.files) == [str(out), str(out.with_suffix(".xml"))]
    assert seen.warnings == []
    assert seen.analyses[0].instrument == f"JEOL Ltd. {expected.rows[0].instrument}"
    if positions is None:
        (found,) = seen.analyses[0].maps
        array, state = found.channels[0].array, found.state
        assert (found.shape, found.kind) == ((3, 4), "stage")
        by_place = {(round(row.stage_y_mm or 0, 6), round(row.stage_x_mm or 0, 6)): number
                    for number, row in enumerate(expected.rows)}  # fmt: skip
        assert np.array_equal(
            values_of(tree, array).reshape(12, -1), expected.values[[by_place[at] for at in sorted(by_place)]]
        )
        assert found.frame is not None
        assert tuple(found.frame["origin"][:2]) == pytest.approx(min(by_place)[::-1])
    else:
        array, state = seen.positions[0].arrays[0], seen.positions[0].state
        assert np.array_equal([values_of(tree, each.arrays[0]) for each in seen.positions], expected.values)
        assert [each.state["stage"]["x"] for each in seen.positions] == [row.stage_x_mm for row in expected.rows]
    assert float(state["probe"]["acceleratingVoltage"]) == expected.rows[0].accelerating_voltage_kv
    assert array.axis is not None
    if data_type == "qlw":
        made = (array.axis.start or 0) + (array.axis.step or 0) * np.arange(array.shape[-1])
        assert np.allclose(made, expected.axis("wavelength").values, rtol=1e-9)
    again = tmp_path / "again" / "out.xml"
    again.parent.mkdir()
    lake.export(MAP, again, to="hmsa", positions=positions, analysis=1, data_type=data_type)
    assert again.read_bytes() == out.with_suffix(".xml").read_bytes()


def test_an_hmsa_export_is_a_pair_that_replaces_nothing_unasked(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="pair of files"):
        lake.export(MAP, tmp_path / "map", to="hmsa", analysis=1)
    (tmp_path / "map.xml").write_text("mine")
    with pytest.raises(AlreadyExistsError):
        lake.export(MAP, tmp_path / "map.hmsa", to="hmsa", analysis=1)
    assert [each.name for each in tmp_path.iterdir()] == ["map.xml"]
    everything = lake.export(None, tmp_path / "map.hmsa", to="hmsa", force=True, grating="JS300N")
    assert any("differs between the positions" in warning for warning in everything.warnings)


def test_several_msa_are_a_folder(lake: Lake, tmp_path: Path) -> None:
    report = lake.export(MAP, tmp_path / "many", to="msa", positions="1..3", analysis=1)
    assert len(report.files) == 3
    assert all((tmp_path / "many" / each.path).read_bytes().isascii() for each in report.files)
    with pytest.raises(AlreadyExistsError):
        lake.export(MAP, tmp_path / "many", to="msa", positions="1..3")
    lake.export(MAP, tmp_path / "many", to="msa", positions="1..2", analysis=1, force=True)
    assert len(list((tmp_path / "many").iterdir())) == 2
    (tmp_path / "many" / "mine.txt").touch()
    with pytest.raises(InputError, match="not an earlier export"):
        lake.export(MAP, tmp_path / "many", to="msa", positions="1..2", force=True)


def test_without_an_axis_there_are_channels_and_a_warning(lake: Lake, tmp_path: Path) -> None:
    rows = lake.measured()
    grating = next(row.grating for row in rows if row.grating != "JS300N")
    report = lake.export(None, tmp_path / "x.csv", to="csv", grating=grating)
    assert report.axis_source is None
    assert any("channels only" in warning for warning in report.warnings)
    assert pd.read_csv(tmp_path / "x.csv", comment="#").columns[0] == "channel"


def test_bad_words_and_missing_extras_leave_nothing(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="no format 'pdf'"):
        lake.export(MAP, tmp_path / "x", to="pdf")  # type: ignore[arg-type]
    with pytest.raises(NotFoundError):
        lake.export(MAP, tmp_path / "x", to="csv", kv=77)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(MissingExtraError, match="not installed") as caught:
        lake.export(MAP, tmp_path / "x", to="xlsx")
    assert 'pip install "sxeslake[excel]"' in str(caught.value)
    (tmp_path / "there.csv").write_text("mine")
    with pytest.raises(AlreadyExistsError):
        lake.export(MAP, tmp_path / "there.csv", to="csv")
    assert [each.name for each in tmp_path.iterdir()] == ["there.csv"]


def test_xarray_reads_the_same_values_from_zarr(lake: Lake, tmp_path: Path) -> None:
    lake.export(MAP, tmp_path / "map.zarr", to="zarr", analysis=1)
    expected = lake.to_xarray(MAP, analysis=1, types=["qlw"]).load()
    with xr.open_zarr(tmp_path / "map.zarr") as found:
        assert np.array_equal(found.qlw.values, expected.qlw.values)
        assert np.array_equal(found.energy.values, expected.energy.values)


def test_zarr_reads_each_spectrum_once(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    read_many = VersionSource.read_many

    def counted(source: VersionSource, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        if not any(path.endswith("xes.data") for path in paths):  # those of both judge the background
            read.extend(path for path in paths if path.endswith("qlw.data"))
        return iter(read_many(source, paths))

    monkeypatch.setattr(VersionSource, "read_many", counted)
    lake.export(MAP, tmp_path / "map.zarr", to="zarr", analysis=1)
    assert len(read) == len(set(read)) == 12


def test_hyperspy_reads_the_same_values_from_hspy(lake: Lake, tmp_path: Path) -> None:
    lake.export(MAP, tmp_path / "map.hspy", to="hspy", analysis=1)
    expected = lake.hyperspy(MAP, analysis=1)
    found = hs.load(tmp_path / "map.hspy")
    assert np.array_equal(found.data, expected.data)
    assert found.axes_manager.signal_axes[0].units == "Å"


def test_a_crate_of_an_archive_is_read_by_rocrate(lake: Lake, tmp_path: Path) -> None:
    licence = "https://creativecommons.org/licenses/by/4.0/"
    who = ["A. Author;0000-0002-1825-0097"]
    lake.export(REF, tmp_path / "crate", to="ro-crate", license_url=licence, authors=who)
    crate = ROCrate(tmp_path / "crate")
    (file,) = [each for each in crate.data_entities if each.type == "File"]
    path = tmp_path / "crate" / "2020_steel_carbide@1" / file["name"]
    assert path.exists()
    assert file["contentSize"] == str(path.stat().st_size)
    assert file["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert crate.license["@id"] == licence
    text = (tmp_path / "crate" / "ro-crate-metadata.json").read_text(encoding="utf-8")
    assert all(word in text for word in ("SoftwareApplication", REF, "https://orcid.org/0000-0002-1825-0097"))


def _crate_validator() -> Path:
    """The program `rocrate-validator`: where `make test` puts it, else on the path; skips where there is none."""
    own = Path(sys.prefix) / "judges" / "bin" / "rocrate-validator"
    found = own if own.is_file() else shutil.which("rocrate-validator")
    if found is None:
        pytest.skip("no rocrate-validator: pip install roc-validator, in an environment of its own")
    return Path(found)


def test_a_validator_finds_no_fault_in_a_crate(lake: Lake, tmp_path: Path) -> None:
    validator = _crate_validator()
    who, licence = ["A. Author;0000-0002-1825-0097"], "https://creativecommons.org/licenses/by/4.0/"
    for name, ref, positions in (("one", REF, "1..2"), ("all", MAP, None)):
        crate = tmp_path / name
        lake.export(ref, crate, to="ro-crate", license_url=licence, authors=who, positions=positions)
        verdict = tmp_path / f"{name}.json"
        subprocess.run(
            [
                *(validator, "--no-interactive", "validate", "--offline", "-p", "ro-crate-1.1", "-l", "RECOMMENDED"),
                *(crate, "--output-format", "json", "-o", verdict),
            ],
            check=False,
            capture_output=True,
        )
        found = json.loads(verdict.read_text(encoding="utf-8"))
        issues = [each for each in found["issues"] if "JSON-LD context" not in each["message"]]  # which is on the web
        assert issues == []


def test_an_eln_has_one_folder_with_the_selection(lake: Lake, tmp_path: Path) -> None:
    report = lake.export(MAP, tmp_path / "my map.eln", to="ro-crate", positions="1..2", analysis=1)
    with zipfile.ZipFile(tmp_path / "my map.eln") as found:
        names = found.namelist()
        graph = json.loads(found.read("my_map/ro-crate-metadata.json"))["@graph"]
        described = {each["name"]: each for each in graph if each["@type"] == "File"}
        for name in names:
            if not name.endswith(".json"):
                entity = described[name.rpartition("/")[2]]
                assert entity["sha256"] == hashlib.sha256(found.read(name)).hexdigest()
    assert {name.partition("/")[0] for name in names} == {"my_map"}
    assert sum(name.endswith(".msa") for name in names) == 2
    assert any("licence" in warning for warning in report.warnings)


def test_the_command_without_a_format_is_pull(
    lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SXESLAKE_LAKE", lake.url.removeprefix("file://"))
    assert run(["pull", REF, "-o", str(tmp_path / "a.plzip")]) == 0
    pulled = capsys.readouterr().out.replace("a.plzip", "b.plzip")
    assert run(["export", REF, "-o", str(tmp_path / "b.plzip")]) == 0
    assert capsys.readouterr().out == pulled
    assert (tmp_path / "a.plzip").read_bytes() == (tmp_path / "b.plzip").read_bytes()
    assert run(["export", REF, "--raw", "-o", str(tmp_path / "c")]) == 2
    out = str(tmp_path / "map.csv")
    assert run(["export", MAP, "--position", "1..2", "--roi", "390..400eV", "--to", "csv", "-o", out, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["format"], said["path"]) == ("csv", out)
    assert run(["export", MAP, "--to", "csv", "-o", out]) == 7
    assert run(["export", MAP, "--to", "csv", "-o", out, "--level", "3"]) == 2
    assert run(["export", "--to", "csv", "-o", out]) == 2


@pytest.mark.parametrize("to", ["csv", "xlsx", "msa", "hmsa", "zarr", "hspy", "ro-crate"])
def test_every_format_is_written_by_the_program_itself(lake: Lake, tmp_path: Path, to: str) -> None:
    words = ["export", MAP, "--analysis", "1", "--position", "1..2", "--to", to, "-o", str(tmp_path / f"out.{to}")]
    call = [sys.executable, "-m", "sxeslake", *words, "--lake", lake.url.removeprefix("file://"), "--json"]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["positions"] == 2

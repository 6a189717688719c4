"""Vendor files into archives: what goes in, that equal files give equal archives, and that every file comes back."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import tracemalloc
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from support.vendor_emsa import emsa_file
from support.vendor_files import MemoryTree, real_vendor_files
from support.vendor_qlw import xes
from support.vendor_session import hashes, session

from sxeslake.archive.container import open_container
from sxeslake.archive.sxes.group import open_group
from sxeslake.errors import AlreadyExistsError, DamagedArchiveError, InputError, NotFoundError, UsageError
from sxeslake.vendor.records import AnalysisRecord, ArrayRecord, Finding, PositionRecord, Span, Warned
from sxeslake.vendor.tree import FolderTree, Tree
from sxeslake.vendor.writing.container import PlannedContainer
from sxeslake.vendor.writing.convert import convert, planned, prove
from sxeslake.vendor.writing.plan import Originals, plan_conversion
from sxeslake.vendor.writing.restoring import restore


def members_of(path: Path) -> dict[str, bytes]:
    with open_container(path) as archive:
        return {member.path: archive.read(index) for index, member in enumerate(archive.members)}


def metadata_of(path: Path) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = json.loads(members_of(path)["metadata.json"])
    return found


@pytest.mark.parametrize("suffix", [".plzip", ".pl7z"])
def test_a_session_becomes_an_archive_and_comes_back(tmp_path: Path, suffix: str) -> None:
    raw, out = session(tmp_path), tmp_path / "new folder" / f"made{suffix}"
    report = convert(raw, out)
    assert (report.positions, report.maps, report.images, report.documents) == (4, 1, 1, 1)
    assert report.vendor_files == report.files_proved == len(hashes(raw))
    assert hashlib.sha256(out.read_bytes()).hexdigest() == report.sha256
    restored = restore(out, tmp_path / "back")
    assert hashes(tmp_path / "back") == hashes(raw)
    assert (tmp_path / "back" / "later" / "today").is_dir()
    assert restored.vendor_files == report.vendor_files
    for path in raw.rglob("*"):
        if path.is_file():
            back = tmp_path / "back" / path.relative_to(raw)
            assert abs(back.stat().st_mtime_ns - path.stat().st_mtime_ns) < 1000  # what a JSON number keeps


def test_every_file_is_named_once_and_nothing_is_written(tmp_path: Path) -> None:
    raw = session(tmp_path)
    report = convert(raw, dry_run=True)
    assert sorted(path for row in report.recognised for path in row.files) == sorted(hashes(raw))
    readers = {row.path: row.reader for row in report.recognised}
    assert readers["steel_0001_QLW"] == "jeol-qlw"
    assert readers["Ti_0002_MAP"] == "jeol-map"
    assert readers["unknown.bin"] is None
    [qlw] = [row for row in report.recognised if row.reader == "jeol-qlw"]
    assert qlw.encodings == ["ascii", "cp932"]
    assert [row.encodings for row in report.recognised if row.path == "notes.txt"] == [["cp932"]]
    assert report.dry_run
    assert [each.name for each in tmp_path.iterdir()] == ["session 12"]


@pytest.mark.parametrize("suffix", [".plzip", ".pl7z"])
def test_equal_files_are_an_equal_archive(tmp_path: Path, suffix: str) -> None:
    raw = session(tmp_path / "one")
    shutil.copytree(raw, tmp_path / "other" / "session 12")
    first, second = (convert(tmp_path / each / "session 12", tmp_path / f"{each}{suffix}") for each in ("one", "other"))
    assert first.sha256 == second.sha256


def test_an_archive_is_a_group_that_every_reader_opens(tmp_path: Path) -> None:
    """What older readers need: version 0.1.0, a condition and a raw condition for every position, no dot in types."""
    raw, out = session(tmp_path), tmp_path / "made.plzip"
    convert(raw, out)
    members = members_of(out)
    metadata = json.loads(members["metadata.json"])
    assert metadata["version"] == "0.1.0"
    assert metadata["extensions"] == {"arrays": 1, "documents": 1, "maps": 1, "sources": 1}
    assert {project["name"] for project in metadata["projects"]} >= {"steel", "2015-03-31"}
    for analysis in metadata["analyses"]:
        for uuid in analysis["positionUuids"]:
            assert UUID(uuid).version == 5
            info = json.loads(members[f"data/{uuid}/info.json"])
            assert f"data/{uuid}/state.json" in members
            condition = json.loads(members[f"conditions/{info['conditionUuid']}.json"])
            assert f"rawConditions/{info['rawConditionUuid']}.json" in members
            assert ("ccd" in condition) == (f"data/{uuid}/xes.data" in members)
    arrays = [path for path in members if path.endswith("data")]
    assert all(path.removesuffix(".data").rpartition("/")[2].count(".") == 0 for path in arrays)
    for path, data in members.items():
        kind, _, name = path.partition("/")
        if kind in ("conditions", "rawConditions", "backgrounds", "sources", "documents", "residue"):
            assert hashlib.sha256(data).hexdigest() == name.removesuffix(".json")
    with open_group(out) as group:
        assert len(group.positions) == 4
        assert not group.warnings


def test_arrays_are_those_of_the_files(tmp_path: Path) -> None:
    raw, out = session(tmp_path), tmp_path / "made.plzip"
    convert(raw, out)
    members = members_of(out)
    [(path, text)] = [(path, data) for path, data in members.items() if path.endswith("map.json")]
    found = json.loads(text)
    assert (found["shape"], found["order"], found["kind"]) == ([30, 40], "column", "stage")
    assert [channel["name"] for channel in found["channels"]] == ["Ti Ka", "Fe Ka"]
    for number, channel in enumerate(found["channels"], 1):
        stored = members[f"{path.rpartition('/')[0]}/{channel['member']}"]
        assert (raw / "Ti_0002_MAP" / "Pos_0001" / f"data{number:03d}.map").read_bytes().endswith(stored)
        assert channel["shape"] == [40, 30]
        assert np.frombuffer(stored, channel["dtype"]).max() == channel["check"]["max"]
        assert channel["conditionUuid"] != channel["rawConditionUuid"]
    [spectrum] = [data for path, data in members.items() if path.endswith("eds.data")]
    assert np.frombuffer(spectrum, "<f8").max() == 250
    [picture] = [path for path in members if path.startswith("images/") and "/image." in path]
    assert picture.endswith("image.bmp")  # what it is, not what it is called
    assert members[picture] == (raw / "pictures" / "grain.jpg").read_bytes()
    info = json.loads(members[picture.rpartition("/")[0] + "/info.json"])
    assert info["registration"]["raster"] == [4, 2]


def test_one_measurement_has_one_uuid_and_others_their_own(tmp_path: Path) -> None:
    """Positions of equal content and another comment are two; a whole copy of a folder is the same positions."""
    raw = session(tmp_path)
    shutil.copytree(raw / "steel_0001_QLW", raw / "copy" / "steel_0001_QLW")
    report = convert(raw, tmp_path / "made.plzip")
    assert report.positions == 4
    analyses = metadata_of(tmp_path / "made.plzip")["analyses"]
    first, second = (json.dumps(each["positionUuids"]) for each in analyses if each["name"] == "steel_0001_QLW")
    assert first == second
    assert len(set(json.loads(first))) == 2
    assert len({analysis["uuid"] for analysis in analyses}) == len(analyses) == 6


def test_a_grown_folder_keeps_its_uuids(tmp_path: Path) -> None:
    convert(session(tmp_path / "one", 2), tmp_path / "before.plzip")
    convert(session(tmp_path / "two", 3), tmp_path / "after.plzip")
    before, after = (members_of(tmp_path / name) for name in ("before.plzip", "after.plzip"))
    arrays = {path: data for path, data in before.items() if path.startswith(("data/", "maps/", "images/"))}
    assert arrays.items() <= after.items()
    old, new = (
        {each["uuid"] for each in metadata_of(tmp_path / name)["analyses"]} for name in ("before.plzip", "after.plzip")
    )
    assert old == new


@pytest.mark.parametrize(("originals", "folder"), [("members", "originals"), ("none", None)])
def test_originals_otherwise(tmp_path: Path, originals: Originals, folder: str | None) -> None:
    raw, out = session(tmp_path), tmp_path / "made.plzip"
    report = convert(raw, out, originals=originals)
    members = members_of(out)
    assert not any(path.startswith("residue/") for path in members)
    if folder is None:
        assert report.files_proved == 0
        with pytest.raises(NotFoundError, match="no originals"):
            restore(out, tmp_path / "back")
        return
    assert members[f"{folder}/session 12/notes.txt"] == (raw / "notes.txt").read_bytes()
    restore(out, tmp_path / "back")
    assert hashes(tmp_path / "back") == hashes(raw)


def test_several_folders_are_one_archive(tmp_path: Path) -> None:
    first, second = session(tmp_path / "a"), session(tmp_path / "b", 3)
    report = convert([first, second, first / "notes.txt"], tmp_path / "made.plzip")
    assert report.vendor_files == len(hashes(first)) + len(hashes(second)) + 1
    folders = restore(tmp_path / "made.plzip", tmp_path / "back").folders
    assert sorted(folders) == ["notes.txt", "session 12", "session 12-2"]
    assert hashes(tmp_path / "back" / "session 12-2") == hashes(second)
    assert hashes(tmp_path / "back" / "notes.txt") == {"notes.txt": hashes(first)["notes.txt"]}


@pytest.mark.parametrize("damage", ["truncated", "empty", "missing", "absurd", "folder"])
def test_what_is_odd_is_named_and_the_rest_comes_in(tmp_path: Path, damage: str) -> None:
    raw = session(tmp_path)
    spot = raw / "steel_0001_QLW" / "Pos_0001"
    camera = spot / "1.xes"
    match damage:
        case "truncated":
            camera.write_bytes(xes()[:900])
        case "empty":
            camera.write_bytes(b"")
        case "missing":
            (spot / "data001.cnd").unlink()
        case "absurd":
            camera.write_bytes(xes(rows=2**31, columns=2**31))
        case _:
            shutil.rmtree(spot)
    report = convert(raw, tmp_path / "made.plzip")
    assert report.positions == (3 if damage == "folder" else 4)
    assert damage in ("empty", "folder") or any("Pos_0001" in warning for warning in report.warnings)
    restore(tmp_path / "made.plzip", tmp_path / "back")
    assert hashes(tmp_path / "back") == hashes(raw)


@pytest.mark.skipif(os.name == "nt", reason="Windows makes links for administrators only")
def test_links_and_odd_names_are_named(tmp_path: Path) -> None:
    raw = session(tmp_path)
    (raw / "link").symlink_to(raw / "notes.txt")
    os.mkfifo(raw / "pipe")
    odd = os.fsencode(raw) + b"/\x8e\x8e.dat"
    Path(os.fsdecode(odd)).write_bytes(b"content")
    report = convert(raw, tmp_path / "made.plzip")
    assert [text.partition(":")[0] for text in report.left_out] == ["link", "pipe"]
    assert any("%8E%8E.dat" in text for text in report.warnings)
    restore(tmp_path / "made.plzip", tmp_path / "back")
    assert (tmp_path / "back" / "%8E%8E.dat").read_bytes() == b"content"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
@pytest.mark.parametrize(
    ("names", "kept"),
    [
        ([b"a%FF.txt", b"a\xff.txt"], ["a%FF-2.txt", "a%FF.txt"]),
        ([b"a%FF.txt", b"a\xff.txt", b"a%FF-2.txt"], ["a%FF-2.txt", "a%FF-3.txt", "a%FF.txt"]),
        (["e\u0301.cnd".encode(), "\u00e9.cnd".encode()], ["e\u0301.cnd", "\u00e9-2.cnd"]),
    ],
)
def test_files_whose_names_become_one_are_all_kept(tmp_path: Path, names: list[bytes], kept: list[str]) -> None:
    raw = session(tmp_path)
    (raw / "odd").mkdir()
    for name in names:
        Path(os.fsdecode(os.fsencode(raw / "odd") + b"/" + name)).write_bytes(name)
    report = convert(raw, tmp_path / "made.plzip")
    assert report.left_out == []
    assert report.files_proved == report.vendor_files
    assert len([text for text in report.warnings if "it is kept as odd/" in text]) == 1
    restore(tmp_path / "made.plzip", tmp_path / "back")
    back = sorted((tmp_path / "back" / "odd").iterdir())
    assert [path.name for path in back] == kept
    assert sorted(path.read_bytes() for path in back) == sorted(names)


class DamagedDisk(FolderTree):
    """A folder in which one file gives no bytes, or is gone since the folder was listed."""

    def __init__(self, root: Path, damaged: str, error: OSError) -> None:
        super().__init__(root)
        self._damaged, self._error = damaged, error

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        if path == self._damaged:
            raise self._error
        return super().read(path, offset, length)


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), FileNotFoundError(errno.ENOENT, "gone")])
def test_any_file_that_cannot_be_read_is_named_and_the_others_come_in(tmp_path: Path, error: OSError) -> None:
    raw = session(tmp_path)
    whole = planned([raw])
    for path, size in FolderTree(raw).sizes.items():
        plan = plan_conversion([DamagedDisk(raw, path, error)])
        assert [warned.path for warned in plan.left_out] == [path]
        assert plan.files == whole.files - 1
        assert plan.positions >= whole.positions - 1
        assert plan.maps + plan.images + plan.documents >= whole.maps + whole.images + whole.documents - 1
        if unread := [each for each in plan.unrecognised if each.leftover.path == path]:
            assert [each.leftover.what for each in unread] == ["cannot be read" if size else "empty"]


def test_a_large_file_is_never_held(tmp_path: Path) -> None:
    """Neither as a plan nor as it is copied: of a file of 60 MB a few blocks are in memory."""
    raw = session(tmp_path)
    noise = np.random.default_rng(1).integers(0, 256, 1 << 20, np.uint8).tobytes()
    (raw / "cube.si").write_bytes(noise * 60)
    tracemalloc.start()
    try:
        plan = planned([raw])
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
        with PlannedContainer(plan) as container:
            read = sum(len(piece.data) for job in container.jobs() for piece in job())
        assert read == sum(member.size for member in plan.members)
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()
    convert(raw, tmp_path / "made.plzip", level=0)
    restore(tmp_path / "made.plzip", tmp_path / "back")
    assert hashes(tmp_path / "back") == hashes(raw)


def test_decoded_spectra_are_not_held_as_they_are(tmp_path: Path) -> None:
    """Numbers of texts are packed until they are written: of 300 spectra of 4,096 channels some tenth is in memory."""
    for number in range(300):
        counts = np.random.default_rng(number).poisson(3, 4096)
        (tmp_path / f"{number}.msa").write_bytes(
            emsa_file({"#NPOINTS     ": "4096", "#DATATYPE    ": "Y"}, lines=[f"{count}," for count in counts])
        )
    tracemalloc.start()
    try:
        plan = planned([tmp_path])
        assert plan.positions == 300
        assert tracemalloc.get_traced_memory()[0] < 5 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["unknown.bin", "steel_0001_QLW/Pos_0001/data001.qlw", "large.bin"])
def test_a_file_that_changes_meanwhile_is_no_part_of_an_archive(tmp_path: Path, name: str) -> None:
    raw = session(tmp_path)
    (raw / "large.bin").write_bytes(bytes(6 << 20))
    (raw / "unknown.bin").write_bytes(bytes(range(256)) * 64)
    plan = planned([raw])
    changed = bytearray((raw / name).read_bytes())
    changed[-1] ^= 1
    (raw / name).write_bytes(changed)
    os.utime(raw / name, (1, 1))
    jobs = PlannedContainer(plan).jobs()
    with pytest.raises(InputError, match="changed while it was read"):
        deque((job() for job in jobs), maxlen=0)


def test_an_archive_that_is_not_what_was_planned_is_refused(tmp_path: Path) -> None:
    plan = planned([session(tmp_path / "a")])
    convert(session(tmp_path / "b", 3), tmp_path / "other.plzip")
    with pytest.raises(DamagedArchiveError, match="does not hold what was written"):
        prove(plan, tmp_path / "other.plzip")


def test_what_is_asked_wrongly(tmp_path: Path) -> None:
    raw, out = session(tmp_path), tmp_path / "made.plzip"
    with pytest.raises(UsageError, match="no name"):
        convert(raw)
    with pytest.raises(UsageError, match="not that of an archive"):
        convert(raw, tmp_path / "made.tar")
    with pytest.raises(NotFoundError, match="no such file"):
        convert(tmp_path / "nowhere", out)
    with pytest.raises(NotFoundError, match="no file of an instrument"):
        convert(raw / "later", out)
    with pytest.raises(UsageError, match="would lie in the folder"):
        convert(raw, raw / "later" / "made.plzip")
    convert(raw, out)
    with pytest.raises(AlreadyExistsError):
        convert(raw, out)
    assert convert(raw, out, force=True).sha256


def test_real_files_come_back(tmp_path: Path) -> None:
    tree = real_vendor_files()
    assert isinstance(tree, FolderTree)
    raw = tree.root
    report = convert(raw, tmp_path / "made.plzip")
    assert sorted(path for row in report.recognised for path in row.files) == sorted(tree.sizes)
    restore(tmp_path / "made.plzip", tmp_path / "back")
    assert hashes(tmp_path / "back") == hashes(raw)
    with open_group(tmp_path / "made.plzip") as group:
        assert len(group.positions) == report.positions
    if program := shutil.which("7z"):
        done = subprocess.run([program, "t", tmp_path / "made.plzip"], capture_output=True, check=False)
        assert done.returncode == 0


def test_each_file_is_opened_a_few_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many readers sniff at it, and however many members are in it."""
    opened: Counter[str] = Counter()
    from_disk = FolderTree._from_disk

    def counted(tree: FolderTree, path: str, offset: int, length: int | None) -> bytes:
        opened[path] += 1
        return from_disk(tree, path, offset, length)

    monkeypatch.setattr(FolderTree, "_from_disk", counted)
    raw = session(tmp_path, 20)
    with PlannedContainer(planned([raw])) as container:
        deque((job() for job in container.jobs()), maxlen=0)
    assert set(opened) == set(hashes(raw))
    assert max(opened.values()) <= 6


class Fragile:
    """A reader that fails behind its first position, and takes every file."""

    name = title = verified = "fragile"

    def classify(self, tree: Tree) -> Iterator[Finding]:
        yield Finding(self.name, "", "a fragile thing", 1.0, tuple(tree.sizes))

    def read(self, tree: Tree, finding: Finding, warn: Callable[[Warned], None]) -> Iterator[AnalysisRecord]:
        def positions() -> Iterator[PositionRecord]:
            wrong = ArrayRecord("wrong", "<f8", (7,), Span("a", 0, 8))
            gone = ArrayRecord("gone", "<u1", (50,), Span("a", 0, 50))
            yield PositionRecord("first", (ArrayRecord("a.b", "<u2", (2,), Span("a", 1, 4)), wrong, gone))
            raise ValueError("a damaged index")

        yield AnalysisRecord("analysis", positions=positions)
        raise OSError("a damaged end")


def test_a_reader_that_fails_keeps_what_it_has_read() -> None:
    tree = MemoryTree({"a": bytes(range(9))})
    plan = plan_conversion([tree], readers=(Fragile(),))
    with PlannedContainer(plan) as container:
        members = {member.path: container.read(index) for index, member in enumerate(container.members)}
    assert plan.positions == 1
    [stored] = [data for path, data in members.items() if path.endswith(".data")]
    assert stored == bytes(range(1, 5))
    [arrays] = [json.loads(data) for path, data in members.items() if path.endswith("arrays.json")]
    assert arrays == {"a-b": {"dtype": "<u2", "shape": [2]}}
    said = " ".join(warned.text for warned in plan.warnings)
    assert "wrong cannot be read (<f8 7 needs 56 bytes, and 8 are there)" in said
    assert "gone cannot be read" in said
    assert "a damaged index" in said
    assert "a damaged end" in said
    [recipe] = [json.loads(data) for path, data in members.items() if path.startswith("sources/")]
    parts = [part["member"] for part in recipe["files"][0]["parts"]]
    assert b"".join(members[part] for part in parts) == bytes(range(9))

"""Files that are migrated: a new archive with every other byte, time, attribute and place as it was."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from support.old_groups import Contents, new_group, odd_zip, old_group
from support.small_lakes import zip_of

from sxeslake.archive import migrate, open_container, open_group
from sxeslake.archive.container import create_writer
from sxeslake.archive.folder import FolderWriter
from sxeslake.errors import AlreadyExistsError, InputError, NotAnArchiveError, UnsafeNameError, UsageError
from sxeslake.model import Member

Listed = list[tuple[Member, bytes]]


def listed(path: Path) -> Listed:
    """Every member with its content; of what a container computes, nothing."""
    with open_container(path) as container:
        return [
            (replace(member, crc32=None), container.read(at) if member.kind == "file" else b"")
            for at, member in enumerate(container.members)
        ]


def write_7z(path: Path, contents: Contents) -> Path:
    with path.open("wb") as file:
        writer = create_writer(file, "7z")
        for at, (name, data) in enumerate(contents.items()):
            writer.add(Member(name, "file", len(data), 1_500_000_000_000_000_000 + at * 10**9), [data])
        writer.close()
    return path


def check_lossless(before: Listed, after: Listed, changed: set[str]) -> None:
    """All that no step names is there as it was, in its order; new members come behind it."""
    names = [member.path for member, _ in before]
    kept = [(member, data) for member, data in after if member.path in names]
    assert [member.path for member, _ in after][: len(kept)] == [member.path for member, _ in kept] == names
    for (old, data), (new, found) in zip(before, kept, strict=True):
        if old.path in changed:
            assert replace(old, size=0) == replace(new, size=0)
        else:
            assert (old, data) == (new, found)


def test_a_zip_keeps_what_no_step_names_and_a_second_migration_changes_nothing(tmp_path: Path) -> None:
    source = zip_of(tmp_path / "old.plzip", old_group(["analyses in projects"]), comment="mine")
    report = migrate(source, tmp_path / "new.plzip")
    assert (report.status, report.out) == ("migrated", str(tmp_path / "new.plzip"))
    after = listed(tmp_path / "new.plzip")
    check_lossless(listed(source), after, {"metadata.json"})
    assert len(after) - len(listed(source)) == report.members - 1 == 7
    with open_container(tmp_path / "new.plzip") as container:
        assert container.comment == b"mine"
    again = migrate(tmp_path / "new.plzip", tmp_path / "newer.plzip")
    assert (again.status, again.steps) == ("unchanged", [])
    assert not (tmp_path / "newer.plzip").exists()


def test_a_7z_and_a_folder_are_migrated_and_any_container_written(tmp_path: Path) -> None:
    contents = old_group()
    source = write_7z(tmp_path / "old.pl7z", contents)
    for out in ("new.pl7z", "new.plzip", "folder"):
        migrate(source, tmp_path / out)
    found = [{member.path: data for member, data in listed(tmp_path / out) if member.kind == "file"}
             for out in ("new.pl7z", "new.plzip", "folder")]  # fmt: skip
    assert found[0] == found[1] == found[2]
    assert migrate(tmp_path / "folder", dry_run=True).status == "unchanged"
    with open_group(tmp_path / "new.pl7z") as group:
        assert not group.check()
        assert len(group.positions) == 6


def test_times_stay_and_new_members_have_that_of_the_metadata(tmp_path: Path) -> None:
    source = write_7z(tmp_path / "old.pl7z", new_group())
    migrate(source, tmp_path / "new.pl7z")
    times = {member.path: member.modified_ns for member, _ in listed(source)}
    for member, _ in listed(tmp_path / "new.pl7z"):
        assert member.modified_ns == times.get(member.path, times["metadata.json"])


def test_members_of_several_pieces_and_empty_ones_come_through(tmp_path: Path) -> None:
    contents = {"a.bin": bytes(9_000_000), "b.bin": b"", **new_group(1, 1), "z.bin": b"\1" * 5_000_000, "zz": b""}
    source = write_7z(tmp_path / "old.pl7z", contents)
    migrate(source, tmp_path / "new.plzip")
    found = {member.path: data for member, data in listed(tmp_path / "new.plzip")}
    assert all(found[name] == contents[name] for name in ("a.bin", "b.bin", "z.bin", "zz"))


def test_links_folders_legacy_names_and_names_that_stand_twice_stay(tmp_path: Path) -> None:
    source = odd_zip(tmp_path / "odd.plzip")
    report = migrate(source, tmp_path / "new.plzip")
    before, after = listed(source), listed(tmp_path / "new.plzip")
    assert len(after) > len(before)
    twice = {member.path for member, _ in before if [other.path for other, _ in before].count(member.path) > 1}
    assert len(twice) == 2
    for kept in ("link", "data", *twice):
        assert [each for each in before if each[0].path == kept] == [each for each in after if each[0].path == kept]
    assert [each[0].raw_name for each in after if each[0].raw_name] == ["notes/試料.txt".encode("cp932")]
    assert report.steps[0].changes == 6  # of seven: one info.json stands twice
    with pytest.raises(UnsafeNameError, match="collide"):
        migrate(source, tmp_path / "folder")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.plzip", "odd.plzip"]


def test_a_file_is_never_replaced_without_being_told(tmp_path: Path) -> None:
    source = zip_of(tmp_path / "old.plzip", old_group())
    before = source.read_bytes()
    with pytest.raises(UsageError, match="name the file"):
        migrate(source)
    with pytest.raises(AlreadyExistsError):
        migrate(source, source)
    assert source.read_bytes() == before
    assert migrate(source, dry_run=True).status == "planned"
    assert migrate(source, tmp_path / "new.plzip", dry_run=True).out is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old.plzip"]
    assert migrate(source, source, force=True).status == "migrated"
    assert migrate(source, dry_run=True).status == "unchanged"


def test_a_folder_is_never_replaced(tmp_path: Path) -> None:
    writer = FolderWriter(tmp_path / "old")
    for name, data in old_group().items():
        writer.add(Member(name, "file", len(data)), [data])
    writer.close()
    with pytest.raises(AlreadyExistsError):
        migrate(tmp_path / "old", tmp_path / "old", force=True)
    assert migrate(tmp_path / "old", tmp_path / "new").status == "migrated"


def test_what_is_no_group_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no metadata\.json"):
        migrate(zip_of(tmp_path / "x.zip", {"a": b""}), tmp_path / "new.plzip")
    (tmp_path / "text").write_text("text")
    with pytest.raises(NotAnArchiveError):
        migrate(tmp_path / "text", tmp_path / "new.plzip")


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    source = zip_of(tmp_path / "old.plzip", {"a.bin": bytes(range(256)) * 40, **new_group(1, 1)})
    data = bytearray(source.read_bytes())
    at = data.index(b"a.bin") + 30
    data[at : at + 20] = bytes(20)
    source.write_bytes(data)
    with pytest.raises(InputError):
        migrate(source, tmp_path / "new.plzip")
    assert [path.name for path in tmp_path.iterdir()] == ["old.plzip"]


def test_the_real_archive_is_migrated_without_loss(real_archive: Path, tmp_path: Path) -> None:
    source = Path(shutil.copy(real_archive, tmp_path / "old.plzip"))
    report = migrate(source, tmp_path / "new.plzip")
    assert [(step.step, step.changes) for step in report.steps] == [("arrays", 14), ("extensions", 1)]
    check_lossless(listed(source), listed(tmp_path / "new.plzip"), {"metadata.json"})
    described = {data for member, data in listed(tmp_path / "new.plzip") if member.path.endswith("arrays.json")}
    assert len(described) == 1
    with open_group(tmp_path / "new.plzip") as new, open_group(source) as old:
        assert not new.check()
        assert [each.xes.sum() for each in new.positions] == [each.xes.sum() for each in old.positions]
    assert migrate(tmp_path / "new.plzip", dry_run=True).status == "unchanged"

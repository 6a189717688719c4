"""Saving: whole or not at all, in any container, and the group reads on from what was written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from support.sxes_sources import CountingSource, sxes_source

from sxeslake.archive import Group, create_group, open_container, open_group
from sxeslake.errors import AlreadyExistsError, MemberNotFoundError, StorageError, UnsafeNameError, UsageError
from sxeslake.model import Member


def held(path: Path) -> dict[str, bytes]:
    with open_container(path) as container:
        return {
            member.path: container.read(index)
            for index, member in enumerate(container.members)
            if member.kind == "file"
        }


def saved(group: Group, path: Path, *, overwrite: bool = False) -> Path:
    with group:
        return group.save(path, overwrite=overwrite)


@pytest.mark.parametrize(("name", "kind"), [("a.plzip", "zip"), ("a.pl7z", "7z"), ("a.ZIP", "zip"), ("a", "folder")])
def test_a_saved_group_holds_every_byte(tmp_path: Path, name: str, kind: str) -> None:
    source = sxes_source()
    group = open_group(source)
    assert group.save(tmp_path / name) == tmp_path / name
    with open_container(tmp_path / name) as container:
        assert container.kind == kind
    assert held(tmp_path / name) == source.contents
    assert [path.name for path in tmp_path.iterdir()] == [name]
    source.reads.clear()
    assert group.positions[0].xes.shape == (17, 2049)
    assert not source.reads  # it reads on from the file
    group.close()


def test_saving_over_its_own_file_keeps_times_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.plzip"
    saved(open_group(sxes_source()), path)
    with open_group(path) as group:
        before = {member.path: member.modified_ns for member in group.source.children("")}
        position = group.positions[0]
        position.comment = "once"
        group.save()
        position.comment = "twice"
        assert group.positions[0].comment == "twice"
        group.save()
        assert position.comment == "twice"
        after = {member.path: member.modified_ns for member in group.source.children("")}
    info = position.folder + "info.json"
    assert {name for name in after if after[name] != before[name]} == {info}
    with open_group(path) as group:
        assert group.positions[0].comment == "twice"


def test_from_one_container_to_another_and_back(tmp_path: Path) -> None:
    source = sxes_source()
    saved(open_group(source), tmp_path / "a.plzip")
    for first, second in (("a.plzip", "b.pl7z"), ("b.pl7z", "c"), ("c", "d.plzip")):
        with open_group(tmp_path / first) as group:
            group.save(tmp_path / second)
    assert held(tmp_path / "d.plzip") == source.contents


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    (tmp_path / "a.plzip").write_bytes(b"precious")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_bytes(b"")
    for name in ("a.plzip", "full"):
        with pytest.raises(AlreadyExistsError):
            saved(create_group(), tmp_path / name)
    assert (tmp_path / "a.plzip").read_bytes() == b"precious"
    saved(create_group(), tmp_path / "a.plzip", overwrite=True)
    saved(create_group(), tmp_path / "full", overwrite=True)
    (tmp_path / "empty").mkdir()
    saved(create_group(), tmp_path / "empty")
    for name in ("a.plzip", "full", "empty"):
        assert list(held(tmp_path / name)) == ["metadata.json"]


def test_where_to_and_as_what_must_be_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file yet"):
        create_group().save()
    with pytest.raises(UsageError, match=r"unknown suffix \.rar"):
        saved(create_group(), tmp_path / "a.rar")
    with create_group() as group:
        group.save(tmp_path / "a.rar", container="7z")
    assert list(held(tmp_path / "a.rar")) == ["metadata.json"]


@pytest.mark.parametrize("name", ["a.plzip", "a.pl7z", "a"])
def test_a_failed_save_leaves_nothing_and_changes_nothing(tmp_path: Path, name: str) -> None:
    class Failing(CountingSource):
        def children(self, prefix: str) -> Sequence[Member]:
            ghost = Member("data/zzz/ghost.data", "file", 5)
            return [*super().children(prefix), *([ghost] if ghost.path.startswith(prefix) else [])]

    saved(create_group(), tmp_path / name)
    before = held(tmp_path / name)
    group = open_group(Failing(sxes_source(nx=1, ny=1).contents))
    with pytest.raises(MemberNotFoundError):
        group.save(tmp_path / name, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert held(tmp_path / name) == before


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be written there"):
        create_group().save(tmp_path / "nowhere" / "a.plzip")


def test_a_rename_that_fails_keeps_the_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(open_group(sxes_source()), tmp_path / "a.plzip")
    with open_group(path) as group:
        group.positions[0].comment = "kept"
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", refuse)
            with pytest.raises(StorageError, match="no permission"):
                group.save()
        assert group.positions[0].comment == "kept"
        assert group.positions[1].xes.shape == (17, 2049)
        group.save()
    with open_group(path) as group:
        assert group.positions[0].comment == "kept"


def refuse(written: Path, target: Path) -> None:
    raise PermissionError(13, "in use", str(target))


def test_unsafe_names_are_not_written(tmp_path: Path) -> None:
    contents = {**sxes_source(nx=1, ny=1).contents, "../evil": b""}
    with pytest.raises(UnsafeNameError):
        open_group(CountingSource(contents)).save(tmp_path / "a.plzip")
    assert list(tmp_path.iterdir()) == []

"""Archives in: what is stored, what is refused, and what a refusal leaves behind: nothing."""

from __future__ import annotations

import calendar
import os
import pkgutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.faults import FaultyStore
from support.internals import vault_of
from support.small_lakes import group, new_lake, objects, own_store, zip_of

from sxeslake.archive import container as containers
from sxeslake.archive.base import Container
from sxeslake.archive.container import create_writer
from sxeslake.archive.exact.proving import Proved, prove
from sxeslake.errors import AccessDeniedError, DamagedLakeError, DeadObjectsError, NotFoundError, UnreachableError
from sxeslake.format import keys
from sxeslake.ingest import batch, exact
from sxeslake.ingest.absorb import Absorber
from sxeslake.ingest.report import IngestReport
from sxeslake.lake import Lake
from sxeslake.model import MIB, Member
from sxeslake.storage import Data
from sxeslake.vault.log.commit import blank_entry
from sxeslake.vault.vault import Vault


@pytest.fixture
def store(request: pytest.FixtureRequest) -> FaultyStore:
    return FaultyStore(own_store(request))


@pytest.fixture
def lake(store: FaultyStore) -> Iterator[Lake]:
    with new_lake(store) as opened:
        yield opened


def statuses(report: IngestReport) -> list[str]:
    return [archive.status for archive in report.archives]


def damaged(path: Path) -> Path:
    """A zip whose last member does not agree with its CRC-32."""
    zip_of(path, {"a": b"first " * 50, "b": b"second " * 500})
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\x03\x04") + 40] ^= 0xFF
    path.write_bytes(data)
    return path


def test_an_archive_comes_back(lake: Lake, tmp_path: Path) -> None:
    contents = {**group(1), "empty": b"", "Größe/日本.txt": b"x"}
    report = lake.ingest(zip_of(tmp_path / "a.plzip", contents), message="first")
    (archive,) = report.archives
    assert (report.commit, archive.status, archive.kind, archive.members) == (1, "added", "sxes", len(contents))
    assert archive.blobs == archive.blobs_new == len(set(contents.values()) - {b""})
    assert archive.bytes_raw == sum(map(len, contents.values()))
    assert {row.path: lake.read("a", row.path) for row in lake.members("a")} == contents
    assert lake.show("a").message == "first"
    assert lake.verify(data=True).ok


def test_what_is_there_is_not_stored_again(lake: Lake, store: FaultyStore, tmp_path: Path) -> None:
    lake.ingest(zip_of(tmp_path / "a.plzip", group(1, 3)))
    before = objects(store)
    lake.ingest(zip_of(tmp_path / "b.plzip", group(1, 3, comment="x")))
    new = objects(store).keys() - before.keys()
    assert sum(key.startswith("packs/") for key in new) == 1
    (packs,) = (entry for number, _, entry, _ in vault_of(lake).state.log(1))
    assert b'"blobs":1,"raw_bytes"' in packs


def test_a_batch_is_one_commit(lake: Lake, store: FaultyStore, tmp_path: Path) -> None:
    paths = [zip_of(tmp_path / f"{seed}.plzip", group(seed)) for seed in range(1, 31)]
    report = lake.ingest(paths)
    assert (report.commit, statuses(report)) == (1, ["added"] * 30)
    kinds = [key.split("/")[0] for key in objects(store)]
    assert (kinds.count("log"), kinds.count("manifests"), kinds.count("packs")) == (1, 1, 2)
    assert [lake.read(str(seed), "metadata.json") for seed in range(1, 31)] == [
        group(seed)["metadata.json"] for seed in range(1, 31)
    ]


def test_a_long_list_is_several_commits(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "_BATCH_ARCHIVES", 4)
    paths = [zip_of(tmp_path / f"{seed}.zip", {"x": bytes([seed])}) for seed in range(10)]
    paths.insert(3, damaged(tmp_path / "damaged.zip"))
    report = lake.ingest(paths)
    assert (report.commit, statuses(report).count("added"), len(report.archives)) == (3, 10, 11)


def test_large_members_are_chunks(lake: Lake, tmp_path: Path) -> None:
    large = os.urandom(1000) * 10_000  # 10 MB: three chunks
    report = lake.ingest(
        zip_of(tmp_path / "a.zip", {"large": large, "half": large[: 4 * MIB], "exact": large[: 8 * MIB]})
    )
    assert report.archives[0].blobs == 3, "chunks are shared too"
    assert lake.read("a", "large") == large
    assert b"".join(lake.stream("a", "exact")) == large[: 8 * MIB]
    assert lake.verify(data=True).ok


def test_followers_without_what_they_follow_are_stored(lake: Lake, tmp_path: Path) -> None:
    """`sum.data` waits for its `xes.data`; where that never comes, or another comes first, no byte is lost."""
    contents = [
        {"sum.data": b"a" * 9},
        {"sum.data": b"b" * 9, "other": b"x"},
        {"xes.data": b"c" * 8200, "sum.data": b"c" * 7},
    ]
    paths = [zip_of(tmp_path / f"{number}.zip", files) for number, files in enumerate(contents)]
    assert statuses(lake.ingest(paths)) == ["added"] * 3
    for number, files in enumerate(contents):
        assert {name: lake.read(str(number), name) for name in files} == files
    assert lake.verify(data=True).ok


def test_many_followers_are_stored(lake: Lake, tmp_path: Path) -> None:
    folders = [f"data/{number}" for number in range(600)]
    files = {f"{folder}/sum.data": f"{folder}".encode() for folder in folders}
    files |= {f"{folder}/xes.data": f"{folder} counts".encode() * 3 for folder in folders}
    lake.ingest(zip_of(tmp_path / "a.zip", files))
    assert {row.path: lake.read("a", row.path) for row in lake.members("a")} == files


REFUSED: dict[str, Callable[[Path], object]] = {
    "damaged": damaged,
    "no archive": lambda path: path.write_bytes(b"hello"),
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(zip_of(path, group(9)).read_bytes()[:-30]),
    "absent": lambda path: None,
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("with_good", [False, True])
def test_a_failed_archive_leaves_the_lake_as_it_was(
    lake: Lake, store: FaultyStore, tmp_path: Path, kind: str, with_good: bool
) -> None:
    bad = tmp_path / "bad.zip"
    REFUSED[kind](bad)
    before = objects(store)
    if kind == "absent":
        with pytest.raises(NotFoundError, match=r"bad\.zip"):
            lake.ingest(bad)
        assert objects(store) == before
        return
    paths = [bad, zip_of(tmp_path / "good.zip", {"g": b"good"})] if with_good else [bad]
    report = lake.ingest(paths)
    assert statuses(report) == ["failed", "added"][: len(paths)]
    assert report.failed
    assert str(bad) in (report.archives[0].error or "")
    assert (report.archives[0].sample, report.archives[0].version) == (None, None)
    if with_good:
        assert [row.sample for row in lake.ls()] == ["good"]
        assert lake.verify(data=True).ok
    else:
        assert objects(store) == before
        assert report.commit is None


UNFORESEEN: dict[str, tuple[str, Callable[..., bool], Exception]] = {
    "while it is read": (
        "absorb:Absorber.absorb", lambda _, container: container.members[0].path == "odd", ZeroDivisionError("division")
    ),
    "an error without words": (
        "absorb:Absorber.absorb", lambda _, container: container.members[0].path == "odd", RecursionError()
    ),
    "too little memory": (
        "absorb:Absorber.absorb", lambda _, container: container.members[0].path == "odd", MemoryError()
    ),
    "while its recipe is sought": ("exact:prove", lambda _, path: path.stem == "odd", OverflowError("too large")),
    "while its rows are made": (
        "batch:tables_of", lambda taken, _: taken.members.path(0) == "odd", OverflowError("too large")
    ),
    "while it is named": ("naming:Newcomer", lambda wanted, _: wanted == "odd", ValueError("odd")),
}  # fmt: skip


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("case", UNFORESEEN)
def test_an_unexpected_error_fails_one_archive(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, case: str, place: int
) -> None:
    where, is_odd, error = UNFORESEEN[case]
    names = ["a", "b", "c"]
    names[place] = "odd"
    paths = [zip_of(tmp_path / f"{name}.zip", {name: name.encode() * 2000}) for name in names]
    whole = pkgutil.resolve_name(f"sxeslake.ingest.{where}")

    def broken(*args: object, **kwargs: object) -> object:
        if is_odd(*args[:2]):
            raise error
        return whole(*args, **kwargs)

    monkeypatch.setattr(f"sxeslake.ingest.{where.replace(':', '.')}", broken)
    with caplog.at_level("DEBUG", "sxeslake"):
        report = lake.ingest(paths)
    assert statuses(report) == ["failed" if name == "odd" else "added" for name in names]
    said = report.archives[place].error or ""
    assert all(words in said for words in (str(paths[place]), type(error).__name__, str(error))), said
    assert "Traceback" in caplog.text
    assert [row.sample for row in lake.ls()] == [name for name in names if name != "odd"]
    assert lake.verify(data=True).ok


def test_an_unexpected_error_costs_one_recipe(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.ingest([zip_of(tmp_path / f"{name}.zip", {name: b"x" * 2000}) for name in "ab"], exact="never")
    whole = prove

    def broken(container: Container, path: Path, *rest: Any) -> Proved:
        if path.stem == "a":
            raise ZeroDivisionError
        return whole(container, path, *rest)

    monkeypatch.setattr(exact, "prove", broken)
    assert [row.exact for row in lake.exact(everything=True)] == [False, True]


@pytest.mark.parametrize("error", [UnreachableError("away"), DamagedLakeError("rotten"), AccessDeniedError("no")])
def test_an_error_of_the_lake_ends_the_run(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Absorber, "absorb", refused)
    with pytest.raises(type(error)):
        lake.ingest([zip_of(tmp_path / f"{number}.zip", {"x": bytes([number])}) for number in range(3)])


def test_what_cannot_be_read_is_a_row_of_the_report(lake: Lake, tmp_path: Path) -> None:
    zip_of(tmp_path / "in" / "a.zip", {"x": b"1"})
    zip_of(tmp_path / "out" / "b.zip", {"x": b"2"})
    os.mkfifo(tmp_path / "in" / "p.zip")
    (tmp_path / "in" / "l.zip").symlink_to(tmp_path / "out" / "b.zip")
    (tmp_path / "in" / "here").symlink_to(".")
    report = lake.ingest(tmp_path / "in")
    assert {Path(row.path).name: row.status for row in report.archives} == {
        "a.zip": "added",
        "p.zip": "unreadable",
        "l.zip": "skipped",
    }
    assert report.failed
    assert len(report.links) == 1
    assert lake.ingest(tmp_path / "in" / "a.zip").failed is False
    assert statuses(lake.ingest(tmp_path / "in" / "p.zip")) == ["unreadable"]
    followed = lake.ingest(tmp_path / "in", links="follow")
    assert sorted(statuses(followed)) == ["added", "unchanged", "unreadable"]


@pytest.mark.parametrize("year", [1600, 2300])
def test_a_file_time_beyond_64_bits_hides_no_archive(lake: Lake, store: FaultyStore, tmp_path: Path, year: int) -> None:
    """The log holds no such times: every reader would pass the archive over."""
    path = zip_of(tmp_path / "a.zip", {"x": b"1"})
    moment = calendar.timegm((year, 1, 1, 0, 0, 0)) * 10**9
    os.utime(path, ns=(moment, moment))
    if path.stat().st_mtime_ns != moment:
        pytest.skip("this disk holds no such time")
    lake.ingest(path)
    with Lake(Vault(store, None)) as fresh:
        assert fresh.read("a", "x") == b"1"
        assert fresh.verify().ok
        assert [row.status for row in fresh.audit(path)] == ["stored"]


def test_a_path_too_long_for_a_name_is_shortened(lake: Lake, tmp_path: Path) -> None:
    zip_of(tmp_path.joinpath("in", *["d" * 200] * 3) / "a.zip", {"x": b"1"})
    zip_of(tmp_path / "in" / "b.zip", {"x": b"2"})
    report = lake.ingest(tmp_path / "in")
    assert statuses(report) == ["added", "added"]
    assert all(len((archive.sample or "").encode()) <= 512 for archive in report.archives)


def test_a_file_that_changes_while_it_is_read_is_refused(
    lake: Lake, store: FaultyStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zip_of(tmp_path / "a.zip", {"a": b"1"})
    absorb = Absorber.absorb

    def touching(self: Absorber, *given: object, **named: object) -> object:
        done = absorb(self, *given, **named)  # type: ignore[arg-type]
        with path.open("ab") as file:
            file.write(b" ")
        return done

    monkeypatch.setattr(Absorber, "absorb", touching)
    before = objects(store)
    report = lake.ingest(path)
    assert statuses(report) == ["failed"]
    assert "changed while it was read" in (report.archives[0].error or "")
    assert objects(store) == before


def test_a_dry_run_writes_nothing_and_tells_all(lake: Lake, store: FaultyStore, tmp_path: Path) -> None:
    lake.ingest(zip_of(tmp_path / "in" / "known.plzip", group(1)))
    zip_of(tmp_path / "in" / "copy" / "known.plzip", group(1))
    zip_of(tmp_path / "in" / "new.plzip", group(2))
    (tmp_path / "in" / "notes.txt").write_text("x")
    damaged(tmp_path / "in" / "bad.zip")
    before = objects(store)
    report = lake.ingest(tmp_path / "in", dry_run=True)
    assert objects(store) == before
    found = {archive.path.removeprefix(f"{tmp_path / 'in'}{os.sep}"): archive for archive in report.archives}
    assert {path: archive.status for path, archive in found.items()} == {
        "bad.zip": "failed",
        "known.plzip": "unchanged",
        "new.plzip": "added",
        f"copy{os.sep}known.plzip": "unchanged",
    }
    copy = found[f"copy{os.sep}known.plzip"]
    assert (found["new.plzip"].blobs_new, copy.sample, copy.path_added) == (5, "known", True)
    assert (report.unrecognised, report.commit, report.dry_run) == ([str(tmp_path / "in" / "notes.txt")], None, True)


def test_a_folder_is_searched(lake: Lake, tmp_path: Path) -> None:
    zip_of(tmp_path / "in" / "2018" / "a.plzip", group(1))
    zip_of(tmp_path / "in" / "2019" / "a.ZIP", {"x": b"1"})
    for name, data in group(3).items():
        path = tmp_path / "in" / "unpacked" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    report = lake.ingest(tmp_path / "in")
    assert sorted(str(archive.sample) for archive in report.archives) == ["2018/a", "2019/a", "unpacked"]
    assert {archive.kind for archive in report.archives} == {"sxes", "generic"}
    assert lake.read("unpacked", "metadata.json") == group(3)["metadata.json"]


def test_a_tree_is_one_archive(lake: Lake, tmp_path: Path) -> None:
    zip_of(tmp_path / "in" / "deep" / "a.zip", {"x": b"1"})
    (tmp_path / "in" / "readme").write_text("hello")
    report = lake.ingest(tmp_path / "in", tree=True)
    assert [(archive.sample, archive.kind, archive.members) for archive in report.archives] == [("in", "generic", 3)]


def test_a_folder_without_archives_is_said(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(NotFoundError, match="no archive is in there"):
        lake.ingest(tmp_path)


def test_an_empty_archive_is_an_archive(lake: Lake, tmp_path: Path) -> None:
    lake.ingest(zip_of(tmp_path / "nothing.zip", {}))
    assert list(lake.members("nothing")) == []
    assert lake.pull("nothing", tmp_path / "out.zip").members == 0
    assert lake.verify(data=True).ok


@pytest.mark.parametrize("verb", ["packs/", "manifests/", "log/"])
def test_a_store_that_refuses_leaves_no_half_commit(lake: Lake, store: FaultyStore, tmp_path: Path, verb: str) -> None:
    path = zip_of(tmp_path / "a.plzip", group(1))
    store.plan("error", "create", verb)
    with pytest.raises(UnreachableError):
        lake.ingest(path)
    assert lake.ls() == []
    assert not any(info.key.startswith("log/") for info in store.list(""))
    assert statuses(lake.ingest(path)) == ["added"]
    assert lake.verify(data=True).ok


def test_a_lost_reply_of_the_commit_is_no_loss(lake: Lake, store: FaultyStore, tmp_path: Path) -> None:
    store.plan("lost reply", "create", "log/")
    report = lake.ingest(zip_of(tmp_path / "a.plzip", group(1)))
    assert (report.commit, statuses(report)) == (1, ["added"])
    assert lake.verify(data=True).ok


def test_what_a_collector_takes_meanwhile_is_stored_again(lake: Lake, store: FaultyStore, tmp_path: Path) -> None:
    """All packs are condemned between the look-up and the commit: the next attempt stores everything anew."""
    lake.ingest(zip_of(tmp_path / "a.plzip", group(1)))
    collected: list[bool] = []
    with Lake(Vault(store, None)) as other:
        collector, create = vault_of(other), store.create

        def collect_first(key: str, data: Data) -> None:
            if key.startswith("manifests/") and not collected:
                collected.append(True)
                old = tuple(collector.state.packs())
                collector.commit(
                    lambda head: replace(
                        blank_entry("gc"),
                        number=head.number + 1,
                        previous=head.digest,
                        condemned_packs=old,
                        forgotten=(("a", 1),),
                        collected=(("a", 1),),
                    )
                )
                store.delete([keys.pack_key(pack) for pack in old])
            create(key, data)

        store.create = collect_first  # type: ignore[method-assign]
        report = lake.ingest(zip_of(tmp_path / "b.plzip", group(1, comment="b")))
    assert (statuses(report), report.commit, collected) == (["added"], 3, [True])
    assert lake.verify(data=True).problems == []
    assert lake.read("b", "metadata.json") == group(1, comment="b")["metadata.json"]


def test_collecting_for_ever_ends(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dead(*given: object) -> None:
        raise DeadObjectsError("again")

    monkeypatch.setattr(Vault, "commit", dead)
    with pytest.raises(DeadObjectsError):
        lake.ingest(zip_of(tmp_path / "a.zip", {"a": b"1"}))


def test_two_clients_take_the_same_archive_at_once(store: FaultyStore, lake: Lake, tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.plzip", group(1))
    with Lake(Vault(store, None)) as other:
        create = store.create

        def other_first(key: str, data: Data) -> None:
            if key == keys.log_key(1):
                store.create = create  # type: ignore[method-assign]
                assert statuses(other.ingest(path)) == ["added"]
            create(key, data)

        store.create = other_first  # type: ignore[method-assign]
        report = lake.ingest(path)
    assert (statuses(report), report.commit) == (["unchanged"], None)
    assert [row.version for row in lake.ls(all_versions=True)] == [1]
    assert lake.verify(data=True).ok


def test_unknown_kinds_of_members_survive(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "a.7z"
    with path.open("wb") as out:
        writer = create_writer(out, "7z")
        writer.add(Member("dir", "directory", modified_ns=100, attributes=0x10), [])
        writer.add(Member("dir/a", "file", 3, modified_ns=-11_644_473_599_999_999_900, attributes=0x21), [b"abc"])
        writer.close()
    lake.ingest(path)
    lake.pull("a", tmp_path / "b.7z")
    with containers.open_container(path) as one, containers.open_container(tmp_path / "b.7z") as two:
        assert list(one.members) == list(two.members)


def test_progress_is_told(lake: Lake, tmp_path: Path) -> None:
    class Told:
        def __init__(self) -> None:
            self.lines: list[object] = []

        def start(self, task: str, total_bytes: int | None) -> None:
            self.lines.append((task, total_bytes))

        def advance(self, done_bytes: int) -> None:
            self.lines.append(done_bytes)

        def finish(self) -> None:
            self.lines.append("finished")

    told = Told()
    first, second = (zip_of(tmp_path / f"{name}.zip", {name: name.encode() * 300}) for name in "ab")
    size = first.stat().st_size + second.stat().st_size
    lake.ingest([first, second], progress=told)
    assert (told.lines[0], told.lines[-1]) == (("ingest", size), "finished")  # of the whole run, in bytes of the files
    assert sum(line for line in told.lines if isinstance(line, int)) == size


def test_a_file_that_is_there_already_needs_nothing_heavy(tmp_path: Path) -> None:
    """An ingest of thousands of known files must start at once."""
    url, path = str(tmp_path / "lake"), zip_of(tmp_path / "a.zip", {"a": b"1"})
    environment = {**os.environ, "SXESLAKE_CACHE": str(tmp_path / "cache")}
    heavy = ("numpy", "pyarrow", "pcodec")

    def ingest(verb: str) -> str:
        code = (
            f"import sys; from sxeslake.lake import {verb}; lake = {verb}({url!r})\n"
            f"print([archive.status for archive in lake.ingest({str(path)!r}).archives])\n"
            f"print([name for name in {heavy} if name in sys.modules])"
        )
        words = [sys.executable, "-c", code]
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout

    said = [ingest("init"), ingest("open_lake")]
    assert said[0].startswith("['added']")
    assert said[1] == "['unchanged']\n[]\n"

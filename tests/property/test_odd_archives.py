"""Whatever `ingest` accepts, `pull` to zip, 7z and folder gives back."""

from __future__ import annotations

import io
import itertools
import os
import stat
import zipfile
import zlib
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import sxeslake
from sxeslake.archive.container import create_writer, open_container
from sxeslake.model import Member

PHASES = [Phase.explicit, Phase.reuse, Phase.generate]  # a lake an example: shrinking would take minutes
NAMES = ["a", "a/b", "A", "x.csv", "N:Ka.csv", "é", "e\u0301", "試料.txt", "d/e/f", "old\\name", " ", "con", "z" * 200]
RAW_NAMES = [name.encode() for name in NAMES] + ["表面.txt".encode("cp932"), b"L\x94sung", b"dir\\file", b"\xff\xfe"]
KINDS = [0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, 0o170000, 0o030000]
ATTRIBUTES = st.builds(
    lambda kind, mode, low: (kind | mode) << 16 | low,
    st.sampled_from(KINDS),
    st.sampled_from([0, 0o644, 0o7777]),
    st.integers(0, 0xFFFF) | st.sampled_from([0, 0x10, 0x20, 0x400, 0x420, 0x1420, 0xFFFF]),
)
DATES = st.sampled_from(
    [(1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58), (2020, 2, 29, 12, 0, 0), (1980, 0, 0, 0, 0, 0)]
)
MEMBERS = st.lists(
    st.tuples(
        st.sampled_from(RAW_NAMES),
        st.sampled_from([b"", b"x", b"../../etc/passwd", b"x.csv", b"content" * 99]),
        ATTRIBUTES,
        st.sampled_from([0, 3, 6, 10, 11, 19]),
        st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
        DATES,
        st.booleans(),
    ),
    max_size=6,
)


class _Info(zipfile.ZipInfo):
    """A member with a name in any bytes."""

    raw = b""
    says_utf8 = False

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 - the name in zipfile
        return self.raw, 0x800 if self.says_utf8 else 0


def _zip(members: list[tuple[bytes, bytes, int, int, int, tuple[int, int, int, int, int, int], bool]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number, (raw, data, external, system, method, date, says_utf8) in enumerate(members):
            info = _Info(f"placeholder-{number}", date)
            info.raw, info.says_utf8 = raw, says_utf8
            info.create_system, info.external_attr, info.compress_type = system, external, method
            archive.writestr(info, data)
    return out.getvalue()


def _contents(path: Path) -> list[tuple[str, str, bytes]]:
    with open_container(path) as opened:
        return [(member.path, member.kind, opened.read(at)) for at, member in enumerate(opened.members)]


def _files_below(folder: Path) -> Counter[bytes]:
    found = Counter[bytes]()
    for here, folders, files in os.walk(folder):
        for name in [*files, *(name for name in folders if (Path(here) / name).is_symlink())]:
            place = Path(here) / name
            found[os.fsencode(place.readlink()) if place.is_symlink() else place.read_bytes()] += 1
            if place.is_symlink():
                assert Path(os.path.realpath(place)).is_relative_to(folder.resolve())
    return found


def _check(lake: sxeslake.Lake, source: Path, there: Path, number: int) -> None:
    report = lake.ingest(source, sample=f"s{number}")
    archive = report.archives[0]
    assert archive.status in ("added", "unchanged"), archive.error
    ref = f"{archive.sample}@{archive.version}"
    if archive.kind == "opaque":
        lake.pull(ref, there / f"{number}.zip")
        assert (there / f"{number}.zip").read_bytes() == source.read_bytes()
        return
    expected = _contents(source)
    for suffix in (".zip", ".7z"):
        out = there / f"{number}{suffix}"
        lake.pull(ref, out, exact=False)
        assert _contents(out) == expected
    lake.pull(ref, there / str(number), container="folder")
    assert _files_below(there / str(number)) == Counter(data for _, kind, data in expected if kind == "file")


@settings(
    max_examples=12,
    deadline=None,
    phases=PHASES,
)
@given(archives=st.lists(MEMBERS, min_size=1, max_size=4))
def test_what_is_accepted_comes_back(
    archives: list[list[tuple[bytes, bytes, int, int, int, tuple[int, int, int, int, int, int], bool]]],
) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        there = Path(folder)
        patch.setenv("XDG_CACHE_HOME", str(there / "cache"))
        lake = sxeslake.init(str(there / "lake"))
        for number, members in enumerate(archives):
            source = there / f"in-{number}.zip"
            source.write_bytes(_zip(members))
            _check(lake, source, there, number)


def test_attributes_of_every_host_and_bit_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    members = [
        (f"{number}.csv".encode(), b"" if number % 2 else b"data", external, system, 8, (2020, 1, 1, 0, 0, 0), False)
        for number, (system, kind, low) in enumerate(
            itertools.product(
                (0, 3, 10, 11, 19),
                (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFIFO, 0o170000),
                [1 << bit for bit in range(16)] + [0, 0xFFFF, 0x420],
            )
        )
        for external in [(kind | (0o644 if kind else 0)) << 16 | low]
    ]
    source = tmp_path / "attributes.zip"
    source.write_bytes(_zip(members))
    _check(sxeslake.init(str(tmp_path / "lake")), source, tmp_path, 0)


@pytest.mark.parametrize(
    "attributes", [0x400, 0x420, 0x80420, 0x500000, 0x81A48420, 0x41ED8420, 0xA1FF8420, 0x11A48000]
)
def test_attributes_of_a_7z_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attributes: int) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source = tmp_path / "x.7z"
    with source.open("wb") as out:
        writer = create_writer(out, "7z")
        for path in ("a", "a", "b/c"):
            writer.add(Member(path, "file", 4, attributes=0x20), [b"data"])
        writer.close()
    data = source.read_bytes()
    assert data.count(b"\x20\0\0\0") >= 3  # the header is short, and so not packed
    body, size = data[32:], int.from_bytes(data[20:28], "little")
    header = body[-size:].replace(b"\x20\0\0\0", attributes.to_bytes(4, "little"))
    start = data[12:20] + data[20:28] + zlib.crc32(header).to_bytes(4, "little")
    source.write_bytes(data[:8] + zlib.crc32(start).to_bytes(4, "little") + start + body[:-size] + header)
    _check(sxeslake.init(str(tmp_path / "lake")), source, tmp_path, 0)

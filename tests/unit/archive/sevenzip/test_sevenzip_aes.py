"""Encrypted 7z: what a password opens, and what is said where none does. py7zr is the other side."""

from __future__ import annotations

import io
import random
import struct
from pathlib import Path
from typing import Any

import py7zr
import py7zr.helpers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sxeslake.archive.base import WAS_ENCRYPTED
from sxeslake.archive.container import create_writer, open_container
from sxeslake.archive.keyring import Keyring
from sxeslake.archive.sevenzip import aes as sevenzip_aes
from sxeslake.archive.sevenzip.aes import AES256, Encryptor, check_keys
from sxeslake.archive.sevenzip.format import FolderCoder, FolderCoders
from sxeslake.archive.sevenzip.reader import SevenZipReader
from sxeslake.archive.sevenzip.writer import SevenZipWriter
from sxeslake.errors import (
    DamagedArchiveError,
    EncryptedArchiveError,
    LimitExceededError,
    UnsupportedMethodError,
    UsageError,
)
from sxeslake.model import MIB, Member

PASSWORD = "Gips & Spülung 石膏"
CONTENTS = {
    "metadata.json": b'{"projects":[]}' * 20,
    "data/noise.data": random.Random(1).randbytes(70_001),
    "empty": b"",
    "data/large.data": random.Random(2).randbytes(5 * MIB + 7),  # larger than a block: encrypted in parts
    "tail": b"x",
}


def written(path: Path, contents: dict[str, bytes] = CONTENTS, *, level: int = 1, threads: int = 2) -> Path:
    with path.open("wb") as out:
        writer = SevenZipWriter(out, level=level, threads=threads, password=PASSWORD)
        for name, data in contents.items():
            writer.add(Member(name, "file", len(data)), [data])
        writer.close()
    return path


def by_py7zr(path: Path, method: list[dict[str, int]], *, names: bool, password: str = PASSWORD) -> Path:
    filters = [*method, {"id": py7zr.FILTER_CRYPTO_AES256_SHA256}]
    with py7zr.SevenZipFile(path, "w", filters=filters, password=password, header_encryption=names) as archive:
        for name, data in CONTENTS.items():
            archive.writestr(data, name)
    return path


def read(path: Path, *passwords: str) -> dict[str, bytes]:
    with SevenZipReader(path, passwords=passwords) as reader:
        found = {member.path: reader.read(place) for place, member in enumerate(reader.members)}
        streamed = dict.fromkeys(found, b"")
        for job in reader.jobs():
            for piece in job():
                streamed[reader.members[piece.member].path] += piece.data
    assert streamed == found
    return found


METHODS = {
    "lzma2": [{"id": py7zr.FILTER_LZMA2, "preset": 1}],
    "bcj, lzma2": [{"id": py7zr.FILTER_X86}, {"id": py7zr.FILTER_LZMA2, "preset": 1}],
    "deflate": [{"id": py7zr.FILTER_DEFLATE}],
    "bzip2": [{"id": py7zr.FILTER_BZIP2}],
    "copy": [{"id": py7zr.FILTER_COPY}],
    "ppmd": [{"id": py7zr.FILTER_PPMD, "order": 6, "mem": 20}],
    "zstd": [{"id": py7zr.FILTER_ZSTD, "level": 3}],
}


@pytest.mark.parametrize("names", [False, True], ids=["names open", "names hidden"])
@pytest.mark.parametrize("method", METHODS)
def test_what_py7zr_encrypts_is_read_with_its_password_alone(tmp_path: Path, method: str, names: bool) -> None:
    path = by_py7zr(tmp_path / "x.7z", METHODS[method], names=names)
    assert read(path, "wrong", "", PASSWORD, "last") == CONTENTS
    with pytest.raises(EncryptedArchiveError, match="the archive is encrypted") as missing:
        SevenZipReader(path)
    assert "passwords=" in str(missing.value)
    with pytest.raises(EncryptedArchiveError, match="wrong password, or damaged"):
        SevenZipReader(path, passwords=["wrong"])
    with pytest.raises(EncryptedArchiveError, match="none of 2 passwords fits, or it is damaged") as wrong:
        SevenZipReader(path, passwords=["wrong", "Gips"])
    assert str(path) in str(wrong.value)
    assert "Gips" not in str(wrong.value)


@pytest.mark.parametrize("level", [0, 1, 5])
def test_what_is_encrypted_comes_back_and_py7zr_reads_it(tmp_path: Path, level: int) -> None:
    path = written(tmp_path / "x.7z", level=level)
    data = path.read_bytes()
    assert not any(name.encode("utf-16-le") in data for name in CONTENTS if len(name) > 4)
    assert CONTENTS["metadata.json"][:30] not in data
    assert read(path, PASSWORD) == CONTENTS
    factory = py7zr.io.BytesIOFactory(1 << 30)
    with py7zr.SevenZipFile(path, password=PASSWORD) as archive:
        archive.extractall(factory=factory)
    assert {name: made.read() for name, made in factory.products.items()} == CONTENTS
    with pytest.raises(EncryptedArchiveError):
        SevenZipReader(path)


@pytest.mark.parametrize("contents", [{}, {"e": b""}, {"a": b"1"}, {"a": b"16 bytes exactly"}, {"a": bytes(17)}])
def test_encrypted_archives_of_little(tmp_path: Path, contents: dict[str, bytes]) -> None:
    assert read(written(tmp_path / "x.7z", contents), PASSWORD) == contents


@settings(deadline=None, max_examples=25)
@given(st.lists(st.binary(max_size=100), max_size=6))
def test_a_stream_encrypted_in_parts_is_one_stream(parts: list[bytes]) -> None:
    encryptor = Encryptor(PASSWORD)
    made = b"".join([*(encryptor.take(part, last=False) for part in parts), encryptor.take(b"", last=True)])
    plain = b"".join(parts)
    assert len(made) == -(-len(plain) // 16) * 16
    stage = sevenzip_aes.Aes(io.BytesIO(made), len(plain), encryptor.coder, PASSWORD)
    assert b"".join(iter(lambda: stage.read(7), b"")) == plain


def test_the_same_archive_is_never_encrypted_into_the_same_bytes(tmp_path: Path) -> None:
    assert written(tmp_path / "a.7z").read_bytes() != written(tmp_path / "b.7z").read_bytes()


def test_a_key_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    real = py7zr.helpers.calculate_key

    def counted(*words: Any) -> bytes:
        made.append(words)
        return real(*words)

    monkeypatch.setattr(py7zr.helpers, "calculate_key", counted)
    sevenzip_aes._key.cache_clear()
    contents = {f"{n}": random.Random(n).randbytes(5 * MIB) for n in range(4)}  # a folder each
    path = written(tmp_path / "x.7z", contents, level=0)
    assert read(path, PASSWORD) == contents
    assert len(made) == 1


def test_damage_is_told_from_a_wrong_password_once_the_names_were_read(tmp_path: Path) -> None:
    path = written(tmp_path / "x.7z", level=0)
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    with SevenZipReader(path, passwords=[PASSWORD]) as reader, pytest.raises(DamagedArchiveError, match="CRC"):
        reader.read(1)


def test_open_container_says_that_it_was_encrypted(tmp_path: Path) -> None:
    with open_container(written(tmp_path / "x.7z"), password=PASSWORD) as archive:
        assert archive.notes == (WAS_ENCRYPTED,)
        assert PASSWORD not in repr(archive)
    with (tmp_path / "plain.7z").open("wb") as out:
        create_writer(out, "7z").close()
    with open_container(tmp_path / "plain.7z", password=["a", "b"]) as archive:
        assert archive.notes == ()


def test_an_empty_password_is_refused() -> None:
    with pytest.raises(UsageError, match="not empty"):
        create_writer(io.BytesIO(), "zip", password="")
    with pytest.raises(UsageError, match="not empty"):
        create_writer(io.BytesIO(), "7z", password="")
    assert "secret" not in repr(Keyring(["secret"]))


def locked(properties: bytes) -> FolderCoders:
    return FolderCoders((FolderCoder(AES256, properties),))


@pytest.mark.parametrize(
    "properties", [b"", b"\x53", b"\x53\x0f", b"\x53\x0f" + bytes(15), b"\x53\x0f" + bytes(17), b"\x13\x00"]
)
def test_damaged_properties_are_damage(properties: bytes) -> None:
    with pytest.raises(DamagedArchiveError, match="properties"):
        check_keys([locked(properties)])


def test_keys_that_would_take_minutes_are_refused() -> None:
    with pytest.raises(UnsupportedMethodError, match=r"2\^30"):
        check_keys([locked(b"\x5e\x0f" + bytes(16))])
    salted = [locked(b"\xd8\x3f" + struct.pack("<L", n) + bytes(16)) for n in range(5)]
    check_keys(salted[:4] * 100)
    with pytest.raises(LimitExceededError, match="rounds"):
        check_keys(salted)


def test_keys_of_any_form() -> None:
    for properties in (b"\x06", b"\x3f", b"\x86\x30salt", b"\x46\x03abcd"):
        stage = sevenzip_aes.Aes(io.BytesIO(bytes(32)), 32, FolderCoder(AES256, properties), "p")
        assert len(stage.read(32)) == 32


@pytest.mark.parametrize("cut", [1, 16])
def test_an_encrypted_stream_that_is_cut_off_is_damage(cut: int) -> None:
    encryptor = Encryptor(PASSWORD)
    data = encryptor.take(bytes(64), last=True)[:-cut]
    stage = sevenzip_aes.Aes(io.BytesIO(data), 64, encryptor.coder, PASSWORD)
    assert len(b"".join(iter(lambda: stage.read(64), b""))) == 48

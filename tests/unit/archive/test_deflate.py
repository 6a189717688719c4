"""Raw deflate with and without ISA-L: the same streams, the same refusals."""

from __future__ import annotations

import importlib.util
import random
import sys
import zlib
from types import ModuleType

import pytest

from sxeslake.archive import deflate as with_isal
from sxeslake.errors import DamagedArchiveError

NOISE = random.Random(5).randbytes(5000)
CONTENTS = [b"", b"x", b"abc" * 9000, NOISE, NOISE * 20]


def _without_isal(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    for name in ("isal", "isal.isal_zlib", "isal.igzip_lib"):
        monkeypatch.setitem(sys.modules, name, None)
    spec = importlib.util.spec_from_file_location("deflate_without_isal", with_isal.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=["isal", "zlib"])
def module(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module as it is on most machines, and where isal is missing."""
    if request.param == "isal":
        pytest.importorskip("isal", reason="ISA-L IS NOT INSTALLED: only its fallback is tested")
        return with_isal
    module = _without_isal(monkeypatch)
    assert not module.HAVE_ISAL
    return module


@pytest.mark.parametrize("content", CONTENTS, ids=len)
@pytest.mark.parametrize("level", [1, 2, 3, 4, 9])
def test_streams_and_joined_blocks_inflate_again(module: ModuleType, level: int, content: bytes) -> None:
    whole = module.deflate(content, level)
    half = len(content) // 2
    joined = module.deflate_block(content[:half], level, last=False) + module.deflate_block(
        content[half:], level, last=True
    )
    for packed in (whole, joined):
        assert zlib.decompress(packed, -15) == content
        assert module.inflate(packed, len(content)) == content
        assert module.inflate(memoryview(packed), len(content)) == content


@pytest.mark.parametrize("content", CONTENTS[1:], ids=len)
def test_lies_and_cuts_are_refused(module: ModuleType, content: bytes) -> None:
    packed = module.deflate(content, 1)
    cases = [
        (packed, len(content) - 1, "more than"),
        (packed, len(content) + 1, "ends after"),
        (b"\xff" * 20, 5, "damaged"),
    ]
    for data, size, words in cases:
        with pytest.raises(DamagedArchiveError, match=words):
            module.inflate(data, size)
    with pytest.raises(DamagedArchiveError):
        module.inflate(packed[:-1], len(content))


def test_a_bomb_costs_what_was_declared(module: ModuleType) -> None:
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = bomb.compress(bytes(50_000_000)) + bomb.flush()
    with pytest.raises(DamagedArchiveError, match="more than the 10 bytes"):
        module.inflate(packed, 10)


def test_writers_use_levels_that_give_the_same_bytes_each_time(module: ModuleType) -> None:
    levels = [module.steady_level(level) for level in range(10)]
    assert levels == [0, 3, 3, 3, 4, 5, 6, 7, 8, 9]
    assert not set(levels) & set(module.FICKLE_LEVELS)


def test_crc32_is_the_usual_one(module: ModuleType) -> None:
    assert module.crc32(b"b", module.crc32(b"a")) == zlib.crc32(b"ab")

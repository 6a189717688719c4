"""Small files that wait: they come back whole, in the order that is asked for, however many and wherever they lay."""

from __future__ import annotations

import errno
import io
from typing import Any

import pytest
from blake3 import blake3

from sxeslake.vault.packs import holding
from sxeslake.vault.packs.holding import Held, NewBlob


def blob(number: int) -> NewBlob:
    data = bytes([number]) * number
    return NewBlob(number, blake3(data).digest(), data)


def held(*items: tuple[str, str, int]) -> Held:
    found = Held()
    for position, name, number in items:
        found.add(position, name, blob(number))
    return found


@pytest.mark.parametrize("in_memory", [1 << 20, 1])
def test_they_come_by_position_and_as_they_came(monkeypatch: pytest.MonkeyPatch, in_memory: int) -> None:
    monkeypatch.setattr(holding, "_IN_MEMORY", in_memory)
    waiting = held(("b", "x", 5), ("a", "x", 0), ("c", "x", 7), ("a", "y", 9), ("d", "y", 2), ("b", "y", 3))
    found = list(waiting.take(["c", "nobody", "a"]))
    assert found == [
        ("x", blob(7)), ("x", blob(0)), ("y", blob(9)), ("x", blob(5)), ("y", blob(3)), ("y", blob(2))
    ]  # fmt: skip
    waiting.close()


@pytest.mark.parametrize("room", [0, 6, 14, 22])
def test_a_disk_that_is_full_keeps_what_came_before(monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    """Whether the first bytes go to the disk or later ones: what is refused is framed as it comes."""

    class Small(io.BytesIO):
        def write(self, data: Any) -> int:
            if self.tell() + len(data) > room:
                super().write(bytes(data)[: room - self.tell()])
                raise OSError(errno.ENOSPC, "full")
            return super().write(data)

    monkeypatch.setattr(holding, "_IN_MEMORY", 6)
    monkeypatch.setattr(holding, "TemporaryFile", lambda **words: _File(Small()))
    waiting = Held()
    taken = [number for number in (5, 7, 9, 2, 1) if waiting.add("a", str(number), blob(number))]
    assert taken == [5, 7, 9, 2, 1][: len(taken)]
    assert sum(taken) <= max(room, 6)
    assert len(taken) < 5
    assert waiting.is_full
    assert [found.number for _, found in waiting.take(["a"])] == taken
    assert all(found == blob(found.number) for _, found in waiting.take(["a"]))
    waiting.close()


class _File:
    """A file that is not taken for memory."""

    def __init__(self, file: io.BytesIO) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def test_none_is_none() -> None:
    waiting = held()
    assert list(waiting.take(["a"])) == []
    waiting.close()


def test_there_is_an_end_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "_MOST_BYTES", 9)
    waiting = held(("a", "x", 8))
    assert not waiting.is_full
    waiting.add("a", "y", blob(1))
    assert waiting.is_full
    waiting.close()

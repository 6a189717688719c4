"""What long commands tell the allocator; elsewhere than with glibc, nothing."""

from __future__ import annotations

import ctypes
import sys

import pytest

from sxeslake.cli.memory import keep_little


class _Library:
    def __init__(self) -> None:
        self.told: dict[int, int] = {}

    def mallopt(self, setting: int, value: int) -> int:
        self.told[setting] = value
        return 1


def test_glibc_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    library = _Library()
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    keep_little()
    assert library.told == {-8: 2, -1: 32 << 20, -3: 8 << 20}


def test_another_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    asked: list[object] = []
    monkeypatch.setattr(ctypes, "CDLL", asked.append)  # gives back None, which has no `mallopt`
    keep_little()
    assert asked == [None]


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_another_system_is_not_asked(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(ctypes, "CDLL", lambda _: pytest.fail("it was asked"))
    keep_little()

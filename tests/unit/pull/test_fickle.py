"""An encoder that gives other bytes once in a while: the original file comes back all the same.

ISA-L's level 3, which does not, stands for those that do: what is odd here is what the test makes so.
"""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from support.internals import vault_of

from sxeslake import lake as lakes
from sxeslake.archive import deflate
from sxeslake.archive.exact import encoders
from sxeslake.archive.synthetic import MapPlan, map_members, write_archive
from sxeslake.errors import NotFoundError

pytestmark = pytest.mark.skipif(not deflate.HAVE_ISAL, reason="ISA-L is not installed")


class Odd:
    """Gives the bytes of another level for so many large contents, of those behind the first `after` calls."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, times: int, after: int = 0) -> None:
        self.left, self._calls, self._lock = times, 0, threading.Lock()
        finish = encoders._Isal.finish

        def odd(encoder: encoders._Isal) -> bytes:
            with self._lock:  # encoders run in threads
                self._calls += 1
                if self.left and self._calls > after and len(encoder._held[0]) > 1000:
                    self.left -= 1
                    encoder._level = 0
            return finish(encoder)

        monkeypatch.setattr(encoders._Isal, "finish", odd)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A zip by an encoder that passes for fickle."""
    made = write_archive(tmp_path / "map.plzip", map_members(MapPlan(3, 6, 4)))
    monkeypatch.setattr(deflate, "FICKLE_LEVELS", range(3, 4))
    return made


def test_a_pull_tries_again(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with lakes.init(str(tmp_path / "lake")) as lake:
        lake.ingest(source, exact="always")
        odd = Odd(monkeypatch, 2)
        lake.pull("map", tmp_path / "out.plzip", exact=True)
        assert (odd.left, (tmp_path / "out.plzip").read_bytes()) == (0, source.read_bytes())
        odd.left = 1 << 30
        with pytest.raises(NotFoundError, match="do not give the source's bytes"):
            lake.pull("map", tmp_path / "never.plzip", exact=True)
        assert not (tmp_path / "never.plzip").exists()


def test_a_search_tries_units_again(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = Odd(monkeypatch, 1, after=30)  # behind the samples, when all units are compared
    with lakes.init(str(tmp_path / "lake")) as lake:
        lake.ingest(source, exact="always")
        (version,) = vault_of(lake).state.versions("v.sample = ?", ("map",))
        assert version.archive.recipe is not None
        assert (odd.left, version.archive.recipe["residue_bytes"]) == (0, 0)
        lake.pull("map", tmp_path / "out.plzip", exact=True)
    assert (tmp_path / "out.plzip").read_bytes() == source.read_bytes()

"""What a run may spend on recipes: nobody takes everything, and time that was not needed stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.small_lakes import zip_of

from sxeslake.archive.container import open_container
from sxeslake.archive.exact.proving import Terms
from sxeslake.errors import LimitExceededError
from sxeslake.ingest import exact
from sxeslake.ingest.blobtable import BlobTable
from sxeslake.ingest.exact import RecipeSeeker


class Clock:
    """A prover that takes as long as each archive needs, by a clock of its own."""

    def __init__(self) -> None:
        self.now, self.needs, self.allowed = 0.0, 0.0, list[float]()

    def prove(self, *given: Any) -> None:
        terms: Terms = given[-1]
        self.allowed.append(terms.seconds)
        self.now += min(self.needs, terms.seconds)
        raise LimitExceededError("takes too long")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(exact, "monotonic", lambda: found.now)
    monkeypatch.setattr(exact, "prove", found.prove)
    return found


def test_a_hard_archive_leaves_time_for_the_easy_ones_behind_it(tmp_path: Path, clock: Clock) -> None:
    frames: Any = object()
    seeker = RecipeSeeker(BlobTable(), lambda _: {}, frames, mode="auto", chunk_bytes=1 << 20, threads=1)
    path = zip_of(tmp_path / "a.zip", {"a": b"1"})
    with open_container(path) as container:
        clock.needs = 100.0
        for _ in range(3):
            seeker.seek(container, path, "", 0.0)
        assert clock.allowed == [1.0, 0.5, 0.25]
        clock.needs = 0.0
        seeker.seek(container, path, "", 4.0)  # earns two seconds, and needs none of them
        assert clock.allowed[-1] == 2.125
        seeker.seek(container, path, "", 0.0)
    assert clock.allowed[-1] == 1.125

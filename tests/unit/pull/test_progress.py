"""Progress of a run: which archive of how many, and the bytes of all of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.small_lakes import counts, zip_of

from sxeslake.lake import init
from sxeslake.pull.progress import RunProgress


class Heard:
    """A progress that notes what it is told, and can begin in the middle."""

    def __init__(self) -> None:
        self.tasks: list[tuple[str, int | None, int]] = []
        self.done = 0

    def start(self, task: str, total_bytes: int | None) -> None:
        self.resume(task, total_bytes, 0)

    def resume(self, task: str, total_bytes: int | None, done_bytes: int) -> None:
        self.tasks.append((task, total_bytes, done_bytes))

    def advance(self, done_bytes: int) -> None:
        self.done += done_bytes

    def finish(self) -> None:
        pass


def test_a_run_tells_the_bytes_of_all_its_archives() -> None:
    heard = Heard()
    run = RunProgress(heard, [100, 100, 200])
    for total in (50, 70):
        run.next()
        run.start("pull map", total)
        run.advance(total)
        run.finish()
    run.next()  # one that fails before it begins
    assert heard.tasks == [("pull map, 1 of 3", 200, 0), ("pull map, 2 of 3", 240, 50)]
    assert heard.done == 120


def test_sources_without_a_size_are_no_division_by_zero() -> None:
    heard = Heard()
    run = RunProgress(heard, [0, 0])
    run.next()
    run.start("pull map", None)
    assert heard.tasks == [("pull map, 1 of 2", 0, 0)]


@pytest.mark.parametrize("percent", [100])
def test_a_drill_counts_its_archives(tmp_path: Path, percent: float) -> None:
    heard = Heard()
    with init(str(tmp_path / "lake")) as lake:
        for name in ("a", "b"):
            lake.ingest(zip_of(tmp_path / f"{name}.zip", {"x": counts(len(heard.tasks) + ord(name), 5000)}))
        lake.drill(percent=percent, progress=heard)
    assert [task.rpartition(", ")[2] for task, _, _ in heard.tasks] == ["1 of 2", "2 of 2"]
    assert [done > 0 for _, _, done in heard.tasks] == [False, True]
    assert (heard.tasks[0][1] or 0) > heard.done / 2

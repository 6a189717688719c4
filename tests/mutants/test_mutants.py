"""The list of mutants is current, and the runner tells a killed mutant from one that survives."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest
from mutants import run

MUTANTS = run.mutants()


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_each_mutant_changes_one_place_of_a_file_that_still_parses(mutant: run.Mutant) -> None:
    text = (run.ROOT / mutant.file).read_text()
    ast.parse(mutant.applied(text))
    assert mutant.old != mutant.new
    assert mutant.tests
    for test in mutant.tests:
        path, _, name = test.partition("::")
        assert (run.ROOT / path).exists(), "a test that is gone fails for every mutant, and notices none"
        assert not name or f"def {name}" in (run.ROOT / path).read_text()


def test_names_are_unique_and_there_are_enough() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 60


def test_the_runner_tells_killed_from_survived(tmp_path: Path) -> None:
    checkout = run.copied(tmp_path / "checkout")
    mutant = next(mutant for mutant in MUTANTS if mutant.name == "range-grain")
    before = (checkout / mutant.file).read_text()
    assert run.run_one(mutant, checkout) == "killed"
    assert run.run_one(replace(mutant, new=mutant.old + "  # as it was"), checkout) == "survived"
    assert (checkout / mutant.file).read_text() == before

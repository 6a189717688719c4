"""`lines`: words of the command line, tables, JSON."""

from __future__ import annotations

import json

import pytest

from sxeslake.cli.documents import LINES
from sxeslake.cli.run import run

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("words", "labels"),
    [
        (["N", "K"], {"N Kα"}),
        (["N,K"], {"N Kα", "K Ll", "K Lη"}),
        (["n", "o"], {"N Kα", "O Kα"}),
        (["Fe", "La", "N"], {"Fe Lα", "N Kα"}),
        (["K", "L"], {"K Ll", "K Lη"}),
        (["Fe L", "N,"], {"Fe Ll", "Fe Lη", "Fe Lα", "Fe Lβ1", "Fe Lβ3,4", "N Kα"}),
    ],
)
def test_words_name_elements_and_shells(capsys: Capture, words: list[str], labels: set[str]) -> None:
    assert run(["lines", *words, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert all(tuple(row) == LINES for row in rows)
    assert labels <= {f"{row['element']} {row['line']}" for row in rows}
    assert {row["element"] for row in rows} == {label.split()[0] for label in labels}


def test_orders_stand_at_fractions(capsys: Capture) -> None:
    assert run(["lines", "N", "K", "--order", "1..4", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["order"], row["observed_ev"]) for row in rows] == [(4, 98.1), (3, 130.8), (2, 196.2), (1, 392.4)]


def test_near_an_energy_with_a_grating(capsys: Capture) -> None:
    assert run(["lines", "--near", "0.196 keV", "--grating", "js300n"]) == 0
    out = capsys.readouterr()
    assert "N Kα" in out.out
    assert "84 to 828 eV" in out.err + out.out
    assert run(["lines", "--near", "50eV", "--grating", "JS300N"]) == 0
    assert "outside the axis" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "name an element"),
        (["Zz"], "Zr or Zn"),
        (["N", "--order", "a"], "not an order"),
        (["N", "--order", "9..99"], "1 to 20"),
        (["N", "--tolerance", "2eV"], "requires --near"),
        (["N", "--near", "5 kV"], "eV"),
        (["N", "--grating", "JS50XL"], "no axis is known"),
    ],
)
def test_bad_words_are_refused(capsys: Capture, words: list[str], told: str) -> None:
    assert run(["lines", *words]) == 2
    assert told in capsys.readouterr().err

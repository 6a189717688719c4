"""The README's session on archives runs as printed."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

README = Path(__file__).parents[4] / "README.md"


def test_the_session_with_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = README.read_text("utf-8").partition("\n## Archives without a lake\n")[2].partition("\n## ")[0]
    monkeypatch.chdir(tmp_path)
    test = doctest.DocTestParser().get_doctest(session, {}, "README", str(README), 0)
    failures: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.FAIL_FAST).run(test, out=failures.append)
    assert not failures, "".join(failures)
    assert len(test.examples) > 15

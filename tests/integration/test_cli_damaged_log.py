"""The command line on a lake whose log is damaged: reading goes on and says so, writing stops and names `repair`."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.small_lakes import group, zip_of

from sxeslake.cli.run import run
from sxeslake.format import keys, logentry
from sxeslake.format.lakefile import sealed

NAMES = ("s1", "s2", "s3")


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lake of three commits; every command comes as a new machine."""
    monkeypatch.setenv("SXESLAKE_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("SXESLAKE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SXESLAKE_CONFIG", str(tmp_path / "config"))
    assert run(["-q", "init"]) == 0
    for number, name in enumerate(NAMES):
        assert run(["-q", "ingest", str(zip_of(tmp_path / f"{name}.plzip", group(number)))]) == 0
    monkeypatch.setenv("SXESLAKE_CACHE", str(tmp_path / "new"))
    return tmp_path / "lake"


def damage(lake: Path, case: str) -> None:
    first, second, ahead = (lake / keys.log_key(number) for number in (1, 2, 4))
    if case == "lost":
        second.unlink()
    elif case == "two lost":
        first.unlink()
        second.unlink()
    elif case == "garbage":
        ahead.write_bytes(b"garbage")
    elif case == "later format":
        ahead.write_bytes(sealed(b'{"format":2,"number":4}'))
    elif case == "no body":
        head = logentry.digest_of((lake / keys.log_key(3)).read_bytes(), where="test")
        rest = f'"number":4,"previous":"{head}","transaction":"t","body":{{"blake3":"{"a" * 64}","bytes":9}}}}'
        ahead.write_bytes(sealed(f'{{"format":1,{rest}'.encode()))
    else:
        (lake / keys.LAKE).write_bytes(b'{"format": 1, "lake": "broken')


CASES = {"lost": 5, "two lost": 5, "garbage": 5, "later format": 4, "no body": 5, "lake.json": 5}


@pytest.mark.parametrize("case", CASES)
def test_what_is_known_is_read_and_nothing_is_written(
    lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    damage(lake, case)
    before = {path: path.read_bytes() for path in lake.rglob("*") if path.is_file()}
    for words in (["ls"], ["pull", "s3", "-o", str(tmp_path / "out.plzip")], ["show", "s3"], ["query", "archives"]):
        if words[0] == "query":
            words = ["query", "--sql", "SELECT sample FROM archives", "--format", "csv"]  # noqa: PLW2901
        assert run(["-q", *words]) == 0, words
        said = capsys.readouterr()
        assert "warning" in said.err
        assert "repair" in said.err
        if words[0] in ("ls", "query"):
            left = {"lost": ("s1", "s3"), "two lost": ("s3",)}.get(case, NAMES)
            assert [name for name in NAMES if name in said.out] == list(left)
    new = str(zip_of(tmp_path / "new.plzip", group(9)))
    for words in (["ingest", new], ["gc"], ["forget", "s3"], ["tag", "s3", "paper"], ["checkpoint"]):
        assert run(["-q", *words]) == CASES[case], words
        assert "sxeslake: " in capsys.readouterr().err
    assert {path: path.read_bytes() for path in lake.rglob("*") if path.is_file()} == before
    assert run(["-q", "verify"]) == 5


@pytest.mark.parametrize("case", CASES)
def test_repair_ends_in_a_lake_that_opens_or_says_that_it_does_not(
    lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    damage(lake, case)
    code = run(["-q", "repair"])
    capsys.readouterr()
    opens = run(["-q", "ingest", str(zip_of(tmp_path / "new.plzip", group(9)))])
    if case == "later format":
        assert (code, opens) == (5, 4)
        assert (lake / keys.log_key(4)).read_bytes() == sealed(b'{"format":2,"number":4}')
        return
    assert opens == 0
    assert code == (0 if case == "lake.json" else 5), "what nobody has is listed as lost"
    assert "warning" not in capsys.readouterr().err
    assert run(["-q", "verify", "--data"]) == 0

"""Completion in real interactive shells: what Tab inserts is what the command then gets, whatever a name holds."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are Unix", allow_module_level=True)

from support.interactive import PROGRAMS, Shell, program, shell
from support.small_lakes import zip_of

from sxeslake.archive.synthetic import synthetic_facility
from sxeslake.cli.run import run

NAMES = {
    "aa": "aa two  words",
    "bb": "bb it's",
    "cc": 'cc say "hi"',
    "dd": "dd $HOME ${x}",
    "ee": "ee back\\slash \\n",
    "ff": "ff ünï ß 鉄",
    "gg": "gg;touch PWNED",
    "hh": "hh$(touch PWNED)",
    "ii": "ii`touch PWNED`",
    "jj": "jj *?[x] {a,b}",
    "kk": "kk wow!now !!",
    "ll": "ll #no (a) <b> |c& ^d",
    "mm": "mm=a:b,c%d+e",
    "nn": "nn/'\"\\ `$!",
    "oo": "oo ~",
}
"""What is typed before Tab, and the one sample whose name begins so."""

LEADING = ["~tilde", "#hash", "$dollar", "*star", "(par", "'quote", '"double', "=equal"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a lake of odd names, a lake of measurements, files and folders."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        for name, value in _environment(home).items():
            patch.setenv(name, value)
        assert run(["-q", "init"]) == 0
        for number, name in enumerate([*NAMES.values(), *LEADING, "-dash"]):
            path = zip_of(home / f"{number}.zip", {"a b/c$d.txt": b"%d" % number, "a b/e'f.txt": b"", "top.txt": b""})
            assert run(["-q", "ingest", f"--sample={name}", "--", str(path)]) == 0
            path.unlink()
        assert run(["-q", "tag", "aa two  words", "paper-2026"]) == 0
        assert run(["-q", "annotate", "bb it's", "material=Ti N"]) == 0
        assert run(["-q", "forget", "oo ~"]) == 0
        assert run(["-q", "init", "--lake", str(home / "measured")]) == 0
        synthetic_facility(home / "archives", seed=1, nx=2, ny=2)
        assert run(["-q", "ingest", "--lake", str(home / "measured"), str(home / "archives")]) == 0
        assert run(["-q", "conditions", "--lake", str(home / "measured"), "-o", "conditions.csv"]) == 0
        assert run(["-q", "use", "facility", str(home / "measured")]) == 0
    (home / "two dirs").mkdir()
    (home / "file $x.plzip").write_text("")
    return home


def _environment(home: Path) -> dict[str, str]:
    bin_folder = program(home / "bin")
    return {
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "SXESLAKE_CACHE": str(home / "cache"),
        "SXESLAKE_CONFIG": str(home / "config"),
        "SXESLAKE_LAKE": str(home / "lake"),
    }


@pytest.fixture(scope="module", params=list(PROGRAMS))
def sh(request: pytest.FixtureRequest, home: Path) -> Iterator[Shell]:
    """Each shell that is installed, with the completion in it."""
    if shutil.which(PROGRAMS[request.param][0]) is None:
        pytest.skip(f"COMPLETION IS NOT TESTED IN {request.param.upper()}: it is not installed")
    with shell(request.param, home, _environment(home)) as found:
        yield found


@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_what_is_inserted_is_one_word_that_means_the_name(sh: Shell, home: Path, quote: str) -> None:
    for start, name in NAMES.items():
        if name != "oo ~":
            assert sh.line(f"sxeslake show {quote}{start}") == ["sxeslake", "show", name]
    assert not (home / "PWNED").exists()


def test_a_name_that_begins_with_a_sign(sh: Shell) -> None:
    for name in LEADING:
        if sh.kind == "fish" and name == "*star":
            continue  # fish takes a star for a wildcard here, even behind a backslash
        assert sh.line(f"sxeslake show \\{name[0]}") == ["sxeslake", "show", name]
    assert sh.line("sxeslake show -- -d") == ["sxeslake", "show", "--", "-dash"]
    assert sh.line("sxeslake find x --sample -d") == ["sxeslake", "find", "x", "--sample", "-dash"]


@pytest.mark.parametrize(
    ("typed", "last"),
    [
        ("sxeslake comple", "completion"),
        ("sxeslake pull --as-s", "--as-source"),
        ("sxeslake show 'aa two  words@p", "aa two  words@paper-2026"),
        ("sxeslake show aa\\ two\\ \\ words@p", "aa two  words@paper-2026"),
        ("sxeslake pull aa\\ two\\ \\ words bb", "bb it's"),
        ("sxeslake tag bb\\ it\\'s x --remove", "--remove"),
        ("sxeslake tag aa\\ two\\ \\ words p", "paper-2026"),
        ("sxeslake restore o", "oo ~"),
        ("sxeslake annotate aa\\ two\\ \\ words mat", "material="),
        ("sxeslake annotate aa\\ two\\ \\ words material=", "material=Ti N"),
        ("sxeslake cat bb\\ it\\'s t", "top.txt"),
        ("sxeslake cat bb\\ it\\'s a", "a b/"),
        ("sxeslake cat bb\\ it\\'s a\\ b/c", "a b/c$d.txt"),
        ("sxeslake cat \"bb it's\" 'a b/e", "a b/e'f.txt"),
        ("sxeslake pull bb\\ it\\'s --member to", "top.txt"),
        ("sxeslake use fac", "facility"),
        ("sxeslake ls --lake fac", "facility"),
        ("sxeslake ls --lake=fac", "--lake=facility"),
        ("sxeslake --lake facility show 2021", "2021/standards"),
        ("sxeslake show --lake facility 2021", "2021/standards"),
        ("sxeslake copy facility lake 2021", "2021/standards"),
        ("sxeslake repair --from fac", "facility"),
        ("sxeslake schema posi", "positions"),
        ("sxeslake query pos", "positions-"),
        ("sxeslake query positions-near --rad", "--radius"),
        ("sxeslake query positions-near --lake facility --sample 2021", "2021/standards"),
        ("sxeslake query maps-by-beam-condition --lake facility --grating JS2", "JS2000"),
        ("sxeslake query maps-by-beam-condition --lake facility --grating=JS2", "--grating=JS2000"),
        ("sxeslake find x --lake facility --operator A.\\ Miner,", "A. Miner, B. Smith"),
        ("sxeslake find x --kind rep", "repeat"),
        ("sxeslake find x --since yes", "yesterday"),
        ("sxeslake pull --lake facility --types qlw,x", "qlw,xes"),
        ("sxeslake query maps-by-beam-condition --columns sample,comm", "sample,comment"),
        ("sxeslake pull x --container fo", "folder"),
        ("sxeslake ingest fil", "file $x.plzip"),
        ("sxeslake audit fil", "file $x.plzip"),
        ("sxeslake report 'fil", "file $x.plzip"),
        ("sxeslake exact x --from fil", "file $x.plzip"),
        ("sxeslake annotate --csv fil", "file $x.plzip"),
        ("sxeslake repair --from fil", "file $x.plzip"),
        ("sxeslake find x -o fil", "file $x.plzip"),
        ("sxeslake pull x -o fil", "file $x.plzip"),
        ("sxeslake pull x --output=fil", "--output=file $x.plzip"),
    ],
)
def test_tab_completes(sh: Shell, typed: str, last: str) -> None:
    assert sh.line(typed)[-1] == last


@pytest.mark.parametrize("typed", ["sync x two", "ingest two", "query x --queries two", "init two", "ls --lake two"])
def test_a_folder_goes_on(sh: Shell, typed: str) -> None:
    assert sh.line(f"sxeslake {typed}")[-1].rstrip("/") == "two dirs"


def test_nothing_is_inserted_where_nothing_fits(sh: Shell) -> None:
    for typed in ("show zz", "schema zz", "ls --lake nowhere zz", "cat zz y", "--lake /nonexistent show aa"):
        assert sh.line(f"sxeslake {typed}") == ["sxeslake", *typed.split()]


def test_several_are_listed(sh: Shell) -> None:
    shown = sh.typed("sxeslake query positions-", tabs=3)
    for _ in range(20):
        shown += sh.typed("", tabs=0)
        if "near" in shown and "by-condition" in shown:
            break
    sh.clear()
    assert "near" in shown
    assert "by-condition" in shown


def test_nothing_is_said(sh: Shell, home: Path) -> None:
    config = home / "config" / "config.json"
    before = config.read_text()
    config.write_text("{")
    try:
        assert sh.line("sxeslake use fac") == ["sxeslake", "use", "fac"]
        shown = sh.typed("sxeslake show a")
        sh.clear()
    finally:
        config.write_text(before)
    assert "cannot be read" not in shown
    assert "Error" not in shown

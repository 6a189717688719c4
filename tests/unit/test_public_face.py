"""What `import sxeslake` offers: names, documentation whose examples run, pickles."""

from __future__ import annotations

import ast
import doctest
import inspect
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.internals import vault_of
from support.vendor_session import session

import sxeslake
from sxeslake.archive.synthetic import synthetic_facility
from sxeslake.catalog.query.filter_spec import FILTERS, SETTINGS
from sxeslake.lake import Lake, Opening

DOCUMENTED = [name for name in sxeslake.__all__ if name != "__version__"]
NOT_RUN = ("hyperspy",)  # needs a package that takes long to import
OF_TYPING = (
    "Any", "BinaryIO", "Callable", "ContainerKind", "Format", "Iterable", "Iterator", "Literal", "MakeProgress",
    "Mapping", "None", "Normalisation", "Path", "PathLike", "Sequence", "Unpack",
)  # fmt: skip
"""Types of Python, and names here of literals and callables."""
ASKED = ("maps", "positions", "find", "conditions")


@pytest.fixture(scope="module")
def facility(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of archives, made once."""
    folder = tmp_path_factory.mktemp("made") / "facility"
    synthetic_facility(folder, seed=1, nx=4, ny=3)
    return folder


@pytest.fixture
def lake(facility: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    """A lake `lake` with one map, beside the file it came from, and a folder of an instrument, `session 12`."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(facility, "facility")
    Path("facility/2019/chalcopyrite map.plzip").rename("map.plzip")
    session(tmp_path)
    with sxeslake.init("lake") as lake:
        lake.ingest("map.plzip")
        yield lake


def test_every_name_is_there_and_no_other() -> None:
    assert sorted(sxeslake.__all__) == sxeslake.__all__
    for name in sxeslake.__all__:
        value = getattr(sxeslake, name)
        assert name == "__version__" or value.__doc__, name
    written = ast.parse(Path(sxeslake.__file__).read_text(encoding="utf-8"))
    for_types = next(node for node in written.body if isinstance(node, ast.If))
    shown = {alias.asname or alias.name for node in ast.walk(for_types) if isinstance(node, ast.ImportFrom)
             for alias in node.names}  # fmt: skip
    assert {*shown, "__version__"} == set(sxeslake.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = sxeslake.nothing


def test_a_lake_composes_and_inherits_nothing() -> None:
    assert Lake.__mro__ == (Lake, object)


def test_a_part_and_a_budget_say_what_their_keywords_say(lake: Lake) -> None:
    part = sxeslake.PartSpec(positions=("1", "3..5"), types=("qlw",))
    budget = sxeslake.Budget(positions=4, bytes_raw=10**9)
    by_types = lake.pull_part("map", part=part, budget=budget, dry_run=True)
    words = lake.pull_part("map", positions=[1, "3..5"], types=["qlw"], max_positions=4, max_bytes=10**9, dry_run=True)
    assert by_types == words
    assert lake.pull_part("map", part=sxeslake.PartSpec(("1,3..5",)), dry_run=True).positions == 4
    for small in (sxeslake.Budget(positions=3), sxeslake.Budget(bytes_raw=10)):
        with pytest.raises(sxeslake.LimitExceededError):
            lake.pull_part("map", part=part, budget=small, dry_run=True)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ({"part": sxeslake.PartSpec(("1",)), "types": ["qlw"]}, sxeslake.UsageError),
        ({"part": sxeslake.PartSpec(("1",)), "positions": []}, sxeslake.UsageError),
        ({"part": sxeslake.PartSpec(("",))}, sxeslake.UsageError),
        ({"part": sxeslake.PartSpec()}, sxeslake.UsageError),
        ({"budget": sxeslake.Budget(), "max_bytes": 1, "positions": [1]}, sxeslake.UsageError),
        ({"budget": sxeslake.Budget(), "max_positions": 1, "positions": [1]}, sxeslake.UsageError),
        ({"positions": []}, sxeslake.NotFoundError),
    ],
)
def test_parts_that_say_two_things_or_nothing_are_refused(
    lake: Lake, words: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        lake.pull_part("map", dry_run=True, **words)


def public_methods() -> list[str]:
    return [name for name in dir(Lake) if not name.startswith("_")]


@pytest.mark.parametrize("name", public_methods())
def test_what_a_method_gives_can_be_imported_from_the_root(name: str) -> None:
    member = inspect.getattr_static(Lake, name)
    function = member.fget if isinstance(member, property) else member
    assert function.__doc__
    given = re.findall(r"\b[A-Z]\w+", function.__annotations__["return"])
    assert set(given) <= {
        *sxeslake.__all__,
        "None",
        "Iterator",
        "Any",
        "Value",
        "Dataset",
    }  # what HyperSpy and xarray give
    taken = re.findall(r"\b[A-Z]\w+", " ".join(map(str, function.__annotations__.values())))
    assert set(taken) <= {*sxeslake.__all__, *OF_TYPING, "Executor", "Value", "Dataset"}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_documentation_is_numpydoc_and_its_examples_run(name: str, lake: Lake) -> None:
    documented = getattr(sxeslake, name)
    run_examples(documented, name, lake)
    if inspect.isfunction(documented) and inspect.signature(documented).parameters:
        assert "\nParameters\n----------\n" in (inspect.getdoc(documented) or "")


@pytest.mark.parametrize("name", public_methods())
def test_the_examples_of_a_method_run(name: str, lake: Lake) -> None:
    member = inspect.getattr_static(Lake, name)
    run_examples(member.fget if isinstance(member, property) else member, name, lake)


@pytest.mark.parametrize("name", ASKED)
def test_the_help_of_a_question_names_all_filters_and_their_units(name: str) -> None:
    method = getattr(Lake, name)
    words = {word for line in re.findall(r"^        (\w[\w, ]*) : ", method.__doc__, re.MULTILINE)
             for word in line.split(", ")}  # fmt: skip
    assert words == {each.name for each in FILTERS} | set(SETTINGS)
    for each in FILTERS:
        if each.unit:
            assert re.search(rf"{each.name}\b.* : .*\bin {each.unit}$", method.__doc__, re.MULTILINE), each.name


def run_examples(documented: object, name: str, lake: Lake) -> None:
    """Run them as a reader would: with `sxeslake` imported and `lake` open."""
    text = inspect.getdoc(documented) or ""
    assert "\nExamples\n--------\n" in text
    names = {"lake": lake, "sxeslake": sxeslake, "__name__": name}
    test = doctest.DocTestParser().get_doctest(text, names, name, None, None)
    assert test.examples
    assert name in NOT_RUN or not any(example.options.get(doctest.SKIP) for example in test.examples)
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test).failed == 0


def test_times_are_datetimes_in_utc(lake: Lake) -> None:
    lake.annotate("map", role="standard")
    now = datetime.now(UTC)
    info = lake.show("map")
    (said,) = info.annotations
    times = [lake.ls()[0].ingested_at, info.ingested_at, said.time, next(lake.log()).time, info.paths[0].time]
    assert all(now - timedelta(minutes=5) < time <= now and time.tzinfo is UTC for time in times)
    assert info.source.modified is not None
    assert info.source.modified.tzinfo is UTC
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", str(info.ingested_at))


def test_a_lake_can_be_pickled(lake: Lake) -> None:
    with pickle.loads(pickle.dumps(lake)) as again:
        assert again.url == lake.url
        assert again.ls() == lake.ls()
    code = "import pickle, sys; print(pickle.load(sys.stdin.buffer).ls()[0].sample)"
    data = pickle.dumps(lake)
    elsewhere = Path(lake.url).parent / "elsewhere"
    elsewhere.mkdir()
    told = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True, cwd=elsewhere)
    assert told.stdout.split() == [b"map"]


def opened(lake: Lake, address: str = "s3://bucket/lake", **options: str) -> Lake:
    """The lake as if it had been opened at another address."""
    return Lake(vault_of(lake), Opening(address, options, "5MB/s", None, 3.0))


def test_a_pickle_keeps_how_a_lake_was_opened(lake: Lake) -> None:
    data = pickle.dumps(opened(lake, profile="epma"))
    assert all(word in data for word in (lake.url.encode(), b"profile", b"epma", b"5MB/s"))


@pytest.mark.parametrize(
    ("address", "options", "named"),
    [
        ("s3://bucket/lake", {"key": "KEYWORD"}, "key"),
        ("s3://bucket/lake", {"secret": "SECRETWORD", "profile": "epma"}, "secret"),
        ("s3://bucket/lake", {"token": "TOKENWORD"}, "token"),
        ("s3://KEYWORD:SECRETWORD@bucket/lake", {}, "the URL"),
    ],
)
def test_a_lake_opened_with_secrets_says_why_it_cannot_be_pickled(
    lake: Lake, address: str, options: dict[str, str], named: str
) -> None:
    with pytest.raises(TypeError, match=rf"cannot be pickled: .* secrets \({named}\)") as caught:
        pickle.dumps(opened(lake, address, **options))
    assert "WORD" not in str(caught.value)


def test_a_lake_made_of_storage_says_why_it_cannot_be_pickled(lake: Lake) -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(Lake(vault_of(lake)))


def test_wrong_words_of_a_question_say_what_was_meant(lake: Lake) -> None:
    wrong: list[tuple[dict[str, object], str]] = [
        ({"kvv": 5}, 'no parameter "kvv". Did you mean "kv"'),
        ({"curent_na": 5}, 'Did you mean "current_na"'),
        ({"kv": True}, "kv: "),
        ({"kv": object()}, "kv: "),
        ({"kv": (1, 2, 3)}, "kv: "),
        ({"since": 5}, "since: "),
        ({"grating": 5}, "grating: "),
        ({"grating": {"a": 1}}, "grating: "),
        ({"min_positions": "x"}, "min_positions: "),
        ({"match": 3}, "match: "),
    ]
    for words, said in wrong:
        with pytest.raises(sxeslake.UsageError) as caught:
            lake.maps(**words)  # type: ignore[arg-type]
        assert said in str(caught.value), words

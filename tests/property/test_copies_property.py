"""One more copy of an archive changes no answer, unless every copy is asked for: then its rows are added, no others."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st
from support.catalog_source import MemorySource, group, state

from sxeslake.catalog.query import library
from sxeslake.catalog.query.run import ask
from sxeslake.catalog.store.cache import Cache
from sxeslake.catalog.store.database import Database
from sxeslake.catalog.store.sync import sync
from sxeslake.storage.memory import MemoryStore

QUERIES = library.load()
QUESTIONS: Final = sorted(
    query.name for query in QUERIES if query.over is not None and not query.defaults.get("copies")
)  # `same-measurement-elsewhere` is about copies
COUNTED: Final = {
    "annotations-in-use": (("key", "value"), "analyses"),
    "by-operator": (("operator",), "analyses"),
    "condition-values": (("condition", "value"), "positions"),
    "conditions-in-use": (
        ("accelerating_voltage_kv", "probe_current_target_na", "grating", "spectrometer", "instrument", "accumulation"),
        "positions",
    ),
    "sessions-by-instrument": (("instrument", "session_number"), "analyses"),
}
"""Questions that count: by what, and how many."""
NEEDED: Final[Mapping[str, Mapping[str, object]]] = {
    "find-text": {"text": "steel"},
    "positions-near": {"x": 0.0, "y": 0.0, "radius": 1000},
    "drifting-current": {"drift": 0},
    "saturated-or-odd": {"off": 0},
    "standards-for-condition": {"material": None},
}
FILTERS: Final[list[dict[str, object]]] = [
    {}, {"kv": 5}, {"kv": 5, "match": "any"}, {"kind": "any"}, {"kind": "map"}, {"min_positions": 3}, {"text": "steel"},
    {"since": "2018-04-12", "grating": "JS300N"}, {"kv": "10.."}, {"annotation": "role=standard"},
]  # fmt: skip
"""None of them knows an archive by its name: a copy that alone fits is no copy."""

Files = dict[str, bytes]
Row = dict[str, Any]


@st.composite
def archives(draw: st.DrawFn) -> Files:
    """One or two analyses of few UUIDs, positions and contents, so that parts, grown maps and copies are frequent."""
    made: Files = {}
    for prefix in draw(st.lists(st.sampled_from(["", "q"]), min_size=1, max_size=2, unique=True)):
        names = draw(st.lists(st.integers(0, 5), min_size=1, max_size=6, unique=True))
        kv = draw(st.sampled_from(["5.0", "15"]))
        states = {f"p{at}": state(at % 3 * 0.01, at // 3 * 0.01, second=at, kv=kv) for at in names}
        files = group(states, seed=draw(st.sampled_from(["", "again"])), uuid_prefix=prefix)
        if not draw(st.integers(0, 3)):
            files = {path: data for path, data in files.items() if not path.endswith(".data")}
        made = _joined(made, files)
    return made


def _joined(first: Files, second: Files) -> Files:
    """Both groups as one."""
    if not first:
        return second
    metadata, more = (json.loads(files["metadata.json"]) for files in (first, second))
    metadata["analyses"] += more["analyses"]
    metadata["projects"][0]["analysisUuids"] += more["projects"][0]["analysisUuids"]
    return {**first, **second, "metadata.json": json.dumps(metadata).encode()}


class Lake:
    """A catalogue that follows what is committed."""

    def __init__(self, folder: Path) -> None:
        self._source, self._cache, self._store = MemorySource(), Cache.at(folder), MemoryStore("copies")

    def store(self, sample: str, files: Files, at: str = "/data", host: str = "probe") -> None:
        """One commit with that archive, found there."""
        content_id = blake3(b"".join(path.encode() + data for path, data in sorted(files.items()))).hexdigest()
        source = {"name": f"{sample}.plzip", "path": f"{at}/{sample}.plzip", "host": host, "container": "zip"}
        self._source.commit({sample: files}, content_id=content_id, source={**source, "size": 100, "sha256": "a" * 64})

    def annotate(self, sample: str) -> None:
        """Say that this sample is a standard."""
        self._source.annotate(sample, "role", "standard")

    @contextmanager
    def database(self) -> Iterator[Database]:
        """The catalogue of the newest commit."""
        database = Database(sync(self._source, self._cache, self._store), self._cache, self._store.get)
        try:
            yield database
        finally:
            database.close()


def rows(database: Database, name: str, words: Mapping[str, object]) -> list[Row]:
    """The answer to a question."""
    needed = dict(NEEDED.get(name, {}))
    if name == "positions-near":
        (session,) = database.table("SELECT min(session) AS session FROM analyses").to_pylist()
        needed["session"] = session["session"]
    return ask(database.reader, QUERIES.bind(name, {**needed, **words})).rows()


def counted(question: str, answer: list[Row]) -> Counter[str]:
    """How many positions or analyses each group has."""
    keys, number = COUNTED[question]
    return Counter({repr([row[key] for key in keys]): row[number] for row in answer if row[number]})


def unnamed(answer: list[Row], *without: str) -> Counter[str]:
    """The rows in any order, without some columns."""
    kept = ({key: value for key, value in row.items() if key not in without} for row in answer)
    return Counter(repr(row) for row in kept)


@given(
    stored=st.lists(st.tuples(st.sampled_from("abc"), archives()), min_size=1, max_size=4),
    which=st.integers(0, 3),
    name=st.sampled_from(["0", "bb", "zz"]),
    words=st.sampled_from(FILTERS),
    questions=st.lists(st.sampled_from(QUESTIONS), min_size=2, max_size=2, unique=True),
)
@settings(max_examples=12, deadline=None)
def test_one_more_copy_changes_no_answer_unless_copies_are_asked_for(
    stored: list[tuple[str, Files]], which: int, name: str, words: dict[str, object], questions: list[str]
) -> None:
    original, files = stored[which % len(stored)]
    every = {**words, "copies": True}
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder))
        for sample, contents in stored:
            lake.store(sample, contents)
        lake.annotate(original)
        with lake.database() as database:
            before = {question: rows(database, question, words) for question in questions}
            every_before = {question: rows(database, question, every) for question in questions}
        lake.store(name, files, at="/backup/of 2019", host="laptop")
        lake.annotate(name)
        with lake.database() as database:
            for question in questions:
                check_nothing_is_added(rows(database, question, words), before[question])
                added = rows(database, question, {**every, "sample": name})
                check_added(question, rows(database, question, every), every_before[question], added)


def check_nothing_is_added(after: list[Row], before: list[Row]) -> None:
    """Not a row, and no other row; `copies` says how many are left out."""
    assert unnamed(after, "copies") == unnamed(before, "copies")
    assert [row.get("sample") for row in after] == [row.get("sample") for row in before]


def check_added(question: str, after: list[Row], before: list[Row], added: list[Row]) -> None:
    """What the copy alone answers, and nothing else."""
    if question in COUNTED:
        assert counted(question, after) == counted(question, before) + counted(question, added)
    else:
        assert unnamed(after) == unnamed(before) + unnamed(added)

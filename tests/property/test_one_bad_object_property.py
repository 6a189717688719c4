"""No single object makes other versions unreadable, and `repair` ends in a lake that opens."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from support.odd_entries import CHANGES, Change, Values, mutated, plain, seal
from support.small_lakes import group, new_vault, objects, zip_of

from sxeslake.errors import SxeslakeError
from sxeslake.format import keys, logentry
from sxeslake.lake import Lake
from sxeslake.salvage import salvage
from sxeslake.storage import Store, open_store
from sxeslake.vault.log import segments
from sxeslake.vault.log.state import Version
from sxeslake.vault.vault import Vault

NAMES = ("s1", "s2", "s3")
SLOW = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


class Objects(dict[str, bytes]):
    """Objects of a lake, in few words: Hypothesis shows the arguments of a test that fails."""

    def __repr__(self) -> str:
        return f"<{len(self)} objects>"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Objects:
    """Every object of a lake of three archives, a tag, an annotation, and a checkpoint of its log."""
    folder = tmp_path_factory.mktemp("whole")
    store = open_store(f"memory://{uuid.uuid4().hex}")
    with Lake(new_vault(store)) as lake:
        for number, name in enumerate(NAMES):
            lake.ingest(zip_of(folder / f"{name}.plzip", group(number)))
        lake.tag("s1", "paper")
        lake.annotate("s2", {"note": "x"})
        return Objects(objects(store))


def lake_of(content: dict[str, bytes]) -> Store:
    store = open_store(f"memory://{uuid.uuid4().hex}")
    for key, data in content.items():
        store.create(key, data)
    return store


def readable(store: Store, names: Iterator[str] | tuple[str, ...]) -> list[str]:
    """Which of some versions a newcomer reads whole."""
    vault = Vault(store, None)
    found = []
    try:
        for name in names:
            try:
                (version,) = vault.state.versions("status = 'live' AND v.sample = ? AND v.version = 1", (name,))
                rows = list(vault.rows(version))
                vault.blobs.fetch([blob for row in rows for blob in row.blobs])
                found.append(name)
            except (SxeslakeError, ValueError):
                continue
    finally:
        vault._release()
    return found


def folded(versions: list[Version]) -> dict[str, tuple[str, str, int, int, int]]:
    return {
        one.name: (
            one.status, one.archive.manifest, one.archive.first_group, one.archive.groups, one.archive.rows
        )
        for one in versions
    }  # fmt: skip


def check_salvage_agrees(store: Store, content: dict[str, bytes]) -> None:
    """The one-file reader takes the same of the log as we do."""
    vault = Vault(store, None)
    try:
        ours = folded(vault.state.versions("TRUE"))
    finally:
        vault._release()
    with TemporaryDirectory() as folder:
        for key, data in content.items():
            path = Path(folder, key)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        lake = salvage.FolderLake(Path(folder))
        lake.open()
        theirs = {
            name: (one.state, *(one.record[key] for key in ("manifest", "first_group", "groups", "rows")))
            for name, one in lake.versions.items()
            if not name.startswith("lost-")
        }
    assert ours == theirs


def check_repair(store: Store, names: tuple[str, ...]) -> None:
    """A repair either says that something is left, or the next one finds nothing; the lake opens in any case."""
    vault = Vault(store, None, tolerant=True)
    try:
        Lake(vault).repair()
        assert vault.damage == []
    finally:
        vault._release()
    cold = Vault(store, None)
    try:
        cold.check_writable()
        assert cold.damage_in_words() == []
        assert cold.state.void() == {}
    finally:
        cold._release()
    assert set(readable(store, NAMES)) >= set(names)


@SLOW
@given(number=st.integers(1, 5), changes=CHANGES)
def test_an_odd_entry_behind_the_head(whole: Objects, number: int, changes: list[Change]) -> None:
    """Whatever it says, all that was there before is read, and a repair ends in a lake that opens."""
    said = plain(logentry.load(whole[keys.log_key(number)], where="test"))
    head = logentry.digest_of(whole[keys.log_key(5)], where="test")
    base: Values = {**said, "number": 6, "previous": head, "transaction": str(uuid.uuid4())}
    odd = mutated(base, changes, keep=("format",))
    content = {**whole, keys.log_key(6): seal(odd)}
    store = lake_of(content)
    touched = {str(name) for key in ("forgotten", "collected") for name in str(odd.get(key, ""))}
    left = tuple(name for name in NAMES if name not in touched)
    if not any(odd.get(key) for key in ("forgotten", "collected", "moved")):
        assert readable(store, NAMES) == list(NAMES)
    check_salvage_agrees(store, content)
    check_repair(store, left if not odd.get("forgotten") and not odd.get("moved") else ())


@SLOW
@given(number=st.integers(1, 3), changes=CHANGES)
def test_an_odd_entry_in_the_middle(whole: Objects, number: int, changes: list[Change]) -> None:
    """An entry that was changed and sealed again costs what it added itself, and nothing else."""
    said = plain(logentry.load(whole[keys.log_key(number)], where="test"))
    odd = mutated(said, changes, keep=("format",))
    content = {**whole, keys.log_key(number): seal(odd)}
    store = lake_of(content)
    others = tuple(name for place, name in enumerate(NAMES, 1) if place != number)
    assert set(readable(store, NAMES)) >= set(others)
    check_repair(store, others)


ROTTEN = (b"", b"garbage", b"[]", b"{}", b"null", b"\xff" * 200, b'{"blake3":"' + b"0" * 64 + b'","format":1}')


@SLOW
@given(st.data())
def test_one_rotten_object(whole: Objects, draw: st.DataObject) -> None:
    """Any one object lost or replaced by garbage: what does not need it is read, and `repair` repairs the log."""
    key = draw.draw(st.sampled_from(sorted(key for key in whole if not key.startswith(("README", "salvage")))))
    rotten = draw.draw(st.sampled_from((*ROTTEN, whole[key][:-9], None)))
    content = {name: data for name, data in whole.items() if name != key}
    if rotten is not None:
        content[key] = rotten
    store = lake_of(content)
    found = readable(store, NAMES)
    if key == keys.LAKE:
        assert found == list(NAMES)
    assert len(found) >= len(NAMES) - 1
    check_repair(store, ())
    assert len(readable(store, NAMES)) >= len(NAMES) - 1


@pytest.mark.parametrize("later", [2, 99, 10**18, 2.5])
def test_a_later_format_is_left_alone(whole: Objects, later: float) -> None:
    """Readers go on, writers stop, and no repair of an older version writes over it."""
    head = logentry.digest_of(whole[keys.log_key(5)], where="test")
    entry = seal({"format": later, "number": 6, "previous": head, "what": "nobody knows"})
    content = {**whole, keys.log_key(6): entry}
    store = lake_of(content)
    assert readable(store, NAMES) == list(NAMES)
    check_salvage_agrees(store, content)
    vault = Vault(store, None, tolerant=True)
    try:
        with pytest.raises(SxeslakeError, match="format") as refused:
            vault.check_writable()
        assert refused.value.exit_code == 4
        report = Lake(vault).repair()
        assert not report.ok
        assert any("newer" in lost.detail for lost in report.lost)
        assert [problem.object for problem in Lake(vault).verify().problems] == [keys.log_key(6)]
    finally:
        vault._release()
    assert objects(store) == content


def test_a_checkpoint_that_is_odd_is_not_believed(whole: Objects) -> None:
    """Segments with entries of another log: they agree with themselves, and with nothing else."""
    store = lake_of(whole)
    vault = Vault(store, None)
    segments.publish(store, vault.state)
    vault._release()
    published = {key: data for key, data in objects(store).items() if key.startswith(keys.CHECKPOINT_PREFIX)}
    for key, data in published.items():
        for rotten in (*ROTTEN, data[:-5], data + b"x"):
            store = lake_of({**whole, **published, key: rotten})
            assert readable(store, NAMES) == list(NAMES)

"""Forgotten versions stay restorable until a collection says that it has collected them, whatever came in between."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from support.small_lakes import counts, new_lake, zip_of

from sxeslake.errors import SampleNotFoundError
from sxeslake.storage import Store, open_store

_NAMES = ("a", "b", "c")
_GRACES = {"0": 0, "30m": 1800, "1d": 86_400, None: 7 * 86_400}
_STEPS = 14


def contents(number: int) -> dict[str, bytes]:
    """Versions share content with one another, so that packs are rewritten and joined."""
    return {f"{part}.data": counts(part, 4000) for part in range(number, number + 3)}


def aged(store: Store, seconds: float) -> None:
    objects = store._space.objects  # type: ignore[attr-defined]
    for key, (data, modified) in objects.items():
        objects[key] = (data, modified - seconds)


@pytest.mark.parametrize("seed", range(8))
def test_what_is_forgotten_comes_back_until_it_is_collected(seed: int, tmp_path: Path) -> None:
    chance, store = random.Random(seed), open_store(f"memory://restorable-{seed}")
    state, age = dict.fromkeys(_NAMES, "live"), dict.fromkeys(_NAMES, 0.0)
    with new_lake(store) as lake:
        for number, name in enumerate(_NAMES):
            lake.ingest(zip_of(tmp_path / f"{name}.zip", contents(number)), exact="never")
        for _ in range(_STEPS):
            name, step = chance.choice(_NAMES), chance.choice(("forget", "restore", "wait", "gc"))
            if step == "wait":
                seconds = chance.choice((600, 2400, 90_000, 650_000))
                aged(store, seconds)
                age = {key: value + seconds for key, value in age.items()}
            elif step == "gc":
                grace = chance.choice(list(_GRACES))
                going = {key for key in _NAMES if state[key] == "forgotten" and age[key] >= _GRACES[grace]}
                assert set(lake.gc(grace=grace).collected) == {f"{key}@1" for key in going}
                state |= dict.fromkeys(going, "collected")
            elif step == "forget" and state[name] == "live":
                lake.forget(name)
                state[name], age[name] = "forgotten", 0.0
            elif step == "restore" and state[name] == "forgotten":
                lake.restore(name)
                state[name] = "live"
        for number, name in enumerate(_NAMES):
            if state[name] == "collected":
                with pytest.raises(
                    SampleNotFoundError, match=rf"`gc` collected {name}@1 in commit \d+ \(.*Z\): it cannot be restored"
                ):
                    lake.restore(name)
                continue
            if state[name] == "forgotten":
                lake.restore(name)
            assert {path: lake.read(name, path) for path in contents(number)} == contents(number)
        assert lake.verify(data=True).ok

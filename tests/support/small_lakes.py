"""Small archives and lakes that tests share: made in milliseconds, with all that a large one has."""

from __future__ import annotations

import uuid
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from sxeslake.format import keys
from sxeslake.lake import Lake
from sxeslake.storage import Store, open_store
from sxeslake.vault.vault import Vault, create_lake

Contents = Mapping[str, bytes]


def own_store(request: pytest.FixtureRequest) -> Store:
    """An empty store in memory that no other test has."""
    return open_store(f"memory://{uuid.uuid5(uuid.NAMESPACE_URL, request.node.nodeid).hex}")


def zip_of(path: Path, contents: Contents, comment: str = "") -> Path:
    """A zip with these files; the same contents and the same comment are the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 2, 29, 12, 0, 0)), data)
        archive.comment = comment.encode()
    return path


def counts(seed: int, size: int = 400) -> bytes:
    """Noise as a detector has it: no two seeds share a byte string."""
    return np.random.default_rng(seed).poisson(900, size).astype("<u4").tobytes()


def group(seed: int, positions: int = 2, comment: str = "") -> dict[str, bytes]:
    """A group of so many positions with small spectra: another seed, and nothing is shared."""
    analysis = uuid.UUID(int=seed + 1)
    contents = {"metadata.json": f'{{"analyses":[{{"uuid":"{analysis}","comment":"{comment}"}}]}}'.encode()}
    for number in range(positions):
        folder = f"data/{uuid.UUID(int=(seed << 32) + number + 1)}"
        contents[f"{folder}/info.json"] = f'{{"uuid":"{seed}-{number}"}}'.encode()
        contents[f"{folder}/xes.data"] = counts(1000 * seed + number)
    return contents


def new_vault(store: Store) -> Vault:
    """A lake in a store, open, with a cache of its own."""
    create_lake(store, {})
    return Vault(store, None)


@contextmanager
def new_lake(store: Store) -> Iterator[Lake]:
    """A lake in a store, by its verbs."""
    with Lake(new_vault(store)) as lake:
        yield lake


def objects(store: Store) -> dict[str, bytes]:
    """Every object of a store."""
    return {info.key: store.get(info.key) for info in store.list("")}


def only(store: Store, prefix: str) -> str:
    """The key of the one object below a prefix."""
    (key,) = [info.key for info in store.list(prefix) if not info.key.startswith(keys.BODY_PREFIX)]
    return key


def flip(store: Store, key: str, at: int, bit: int = 0x10) -> None:
    """Change one bit of an object."""
    data = bytearray(store.get(key))
    data[at] ^= bit
    store.replace(key, bytes(data))

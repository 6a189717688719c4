"""Doctor: can this machine work with this lake? Each check says what it saw and what to do."""

from __future__ import annotations

import importlib.metadata
import logging
import platform
import shutil
import sys
from collections.abc import Iterator

from sxeslake.errors import AccessDeniedError, SxeslakeError
from sxeslake.format import keys
from sxeslake.machine.concurrency import usable_cpus
from sxeslake.maintenance.report import Check
from sxeslake.model import GIB
from sxeslake.storage import SelfDescribing, probe
from sxeslake.vault.log.state import LogState
from sxeslake.vault.vault import Vault

_LOG = logging.getLogger(__name__)

_LIBRARIES = ("blake3", "pcodec", "zstandard", "pyarrow", "isal", "fsspec", "s3fs", "botocore", "duckdb")
_LITTLE_ROOM_BYTES = 2 * GIB
_NAMED = 5  # versions that a message lists


def doctor(vault: Vault) -> list[Check]:
    """Look at software, cache and storage; nothing of the lake is changed."""
    checks = [_software(), *_fast_deflate(), _cache(vault), _head(vault), _objects(vault), *_storage(vault)]
    for check in checks:
        _LOG.info("%s: %s", check.name, "good" if check.ok else "not good")
    return checks


def _software() -> Check:
    found = []
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{name} absent")
    system = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}, {usable_cpus()} cores"
    return Check("software", sys.version_info >= (3, 11), f"{system}; {', '.join(found)}")


def _fast_deflate() -> Iterator[Check]:
    try:
        importlib.metadata.version("isal")
    except importlib.metadata.PackageNotFoundError:
        yield Check("fast deflate", True, "isal is absent: zlib is used, several times slower.", "pip install isal")


def _cache(vault: Vault) -> Check:
    hint = "Free some space, or set SXESLAKE_CACHE to another disk."
    if vault.cache_trouble is not None:
        return Check("cache", False, f"it cannot be used: {vault.cache_trouble}", hint)
    free = shutil.disk_usage(vault.folder).free
    detail = f"{vault.folder}, {free / GIB:.1f} GiB free"
    if free < _LITTLE_ROOM_BYTES:
        return Check("cache", False, detail, hint)
    return Check("cache", True, detail)


def _head(vault: Vault) -> Check:
    head = vault.state.head()
    return Check("log", True, f"{head.number} commits, newest {head.digest[:12] if head.digest else 'none'}")


def _objects(vault: Vault) -> Check:
    """Whether the packs and manifests of the log are in the bucket, in their size: by listing, nothing is read."""
    state, store = vault.state, vault.store
    sizes = {keys.pack_key(item.id): item.bytes for item in state.packs().values()}
    sizes |= {keys.manifest_key(item.id): item.bytes for item in state.manifests().values()}
    listed = {info.key: info.size for prefix in (keys.PACK_PREFIX, keys.MANIFEST_PREFIX) for info in store.list(prefix)}
    lost = {key for key, size in sizes.items() if listed.get(key) != size}
    _LOG.debug("%d packs and manifests in the log, %d listed, %d lost", len(sizes), len(listed), len(lost))
    if lost:
        vault.sync()  # a collector may have taken them meanwhile
        packs = {item for item in state.packs() if keys.pack_key(item) in lost}
        manifests = {item for item in state.manifests() if keys.manifest_key(item) in lost}
        if packs or manifests:
            return _lost(state, packs, manifests)
    return Check("packs", True, f"{len(sizes):,} packs and manifests are there; `sxeslake verify --data` reads them")


def _lost(state: LogState, packs: set[str], manifests: set[str]) -> Check:
    touched = [
        version.name
        for version in state.versions("status <> 'collected'")
        if version.archive.manifest in manifests or packs & state.resolved(version.archive.needs)
    ]
    names = ", ".join(touched[:_NAMED]) + (", …" if len(touched) > _NAMED else "")
    what = f"missing or of a wrong size: packs {len(packs):,}, manifests {len(manifests):,}"
    hint = "`sxeslake verify` gives details; `sxeslake repair --from COPY` repairs it."
    return Check("packs", False, f"{what}; versions touched: {len(touched):,} ({names or 'none'})", hint, damage=True)


def _storage(vault: Vault) -> Iterator[Check]:
    """What the store is, and what it was seen to keep."""
    store = vault.store
    try:
        if isinstance(store, SelfDescribing):
            yield Check("storage", True, store.describe())
        report = probe(store)
    except AccessDeniedError as error:
        yield Check(
            "write access", True, f"create-only writes were not tested: {error}",
            "Readers and ingesters need no more. The steward's keys test it.",
        )  # fmt: skip
        return
    except SxeslakeError as error:
        yield Check("create-only writes", False, str(error), error.hint)
        return
    yield Check(
        "create-only writes", report.create_only, report.detail,
        None if report.create_only else "Do not write here: two writers could overwrite each other. Copy it away.",
    )  # fmt: skip

"""Doctor: can this machine work with this lake? Each check says what it saw and what to do."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import sys
from collections.abc import Iterator

from sxeslake.archive.parallel import usable_cpus
from sxeslake.errors import AccessDeniedError, SxeslakeError
from sxeslake.model import GIB
from sxeslake.storage import probe
from sxeslake.upkeep.report import Check
from sxeslake.vault.vault import Vault

_LIBRARIES = ("blake3", "pcodec", "zstandard", "pyarrow", "isal", "fsspec", "s3fs", "botocore", "duckdb")
_LITTLE_ROOM_BYTES = 2 * GIB


def doctor(vault: Vault) -> list[Check]:
    """Look at software, cache and storage; nothing of the lake is changed."""
    return [_software(), *_fast_deflate(), _cache(vault), _head(vault), *_storage(vault)]


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


def _storage(vault: Vault) -> Iterator[Check]:
    try:
        report = probe(vault.store)
    except AccessDeniedError as error:
        yield Check("write access", True, f"read only: {error}", "Reading, querying and pulling need no more.")
        return
    except SxeslakeError as error:
        yield Check("storage", False, str(error), error.hint)
        return
    yield Check(
        "create-only writes", report.create_only, report.detail,
        None if report.create_only else "Do not let two writers use this lake at once.",
    )  # fmt: skip

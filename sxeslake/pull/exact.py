"""Exact pulls: the original file, made again from members and recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from sxeslake.archive.exact.encoders import is_fickle
from sxeslake.archive.exact.rebuild import Contents, OtherBytesError, rebuild
from sxeslake.archive.exact.recipe import Column
from sxeslake.errors import DamagedArchiveError, DamagedLakeError, NotFoundError
from sxeslake.format.manifest import ManifestRow
from sxeslake.model import ContainerKind
from sxeslake.vault.blobs.contents import contents
from sxeslake.vault.log.state import Version
from sxeslake.vault.recipes import RecipeReader, why_not
from sxeslake.vault.vault import Vault

ENCRYPTED = "a password was given, which makes another file"
_ATTEMPTS = 4  # of encoders that give other bytes once in a while


def reason_against(version: Version, container: ContainerKind, level: int | None) -> str | None:
    """Why a pull would not give the original file; None where it would."""
    source = version.archive.source.get("container")
    if (reason := why_not(version.archive)) is not None:
        return reason
    if container != source:
        return f"the source is a {source}, and a {container} was requested"
    return None if level is None else "a level was given, and the source has its own"


def not_exact(version: Version, reason: str) -> NotFoundError:
    """The error of a pull that insists."""
    return NotFoundError(
        f"the original file cannot be rebuilt: {reason}.", where=version.name,
        hint="Without --exact, a pull gives every member, byte for byte, in a new container.",
    )  # fmt: skip


def write_exact(
    vault: Vault, version: Version, table: pa.Table, file: BinaryIO, *, threads: int | None, moved: Callable[[], None]
) -> None:
    """Write the original file, of all rows of its manifest, proved by its SHA-256.

    UnsupportedMethodError where encoders here give other bytes.
    """
    begin = file.tell()
    for attempt in range(_ATTEMPTS):
        try:
            made = rebuild(
                RecipeReader(vault.blobs, version.archive), _contents(vault, version, table, moved), file,
                where=version.name, threads=threads,
            )  # fmt: skip
            break
        except DamagedArchiveError as error:
            raise DamagedLakeError(error.what, where=version.name) from error
        except OtherBytesError as error:
            if attempt == _ATTEMPTS - 1 or not any(map(is_fickle, error.encoders)):
                raise
            file.seek(begin)
            file.truncate()
    if made.sha256 != version.archive.source.get("sha256"):
        raise DamagedLakeError("the recipe is that of another file.", where=version.name)


def _contents(vault: Vault, version: Version, table: pa.Table, moved: Callable[[], None]) -> Contents:
    def ask(members: Column) -> Iterator[Iterable[bytes]]:
        for _, parts in contents(vault.blobs, _in_order(vault, version, table, members)):
            yield parts
            moved()

    return ask


def _in_order(vault: Vault, version: Version, table: pa.Table, members: Column) -> Iterator[ManifestRow]:
    """The rows of some members, in the order asked for; only one that is not the archive's own costs memory."""
    rows = vault.manifests.open(version.archive.manifest).rows(table, "archive")
    if not len(members) or bool((np.diff(members) > 0).all()):
        wanted = iter(members.tolist())
        following = next(wanted, None)
        for row in rows:
            if following is None:
                return
            if row.ordinal == following:
                yield row
                following = next(wanted, None)
        if following is not None:
            raise DamagedArchiveError("the recipe needs members that the archive does not have")
        return
    by_ordinal = {row.ordinal: row for row in rows}
    for ordinal in members.tolist():
        if ordinal not in by_ordinal:
            raise DamagedArchiveError("the recipe needs members that the archive does not have")
        yield by_ordinal[ordinal]

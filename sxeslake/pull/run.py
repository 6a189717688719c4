"""Pulling one version: the place and container that are meant, the archive, and its annotations beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sxeslake.archive.container import check_encryptable
from sxeslake.disk.output import is_stream, named, names_folder
from sxeslake.model import ContainerKind
from sxeslake.pull import annotations_file
from sxeslake.pull.exact import ENCRYPTED, not_exact, reason_against
from sxeslake.pull.part.run import PartTarget
from sxeslake.pull.whole import Pull, PullReport, container_of, default_name
from sxeslake.vault.log.state import Version
from sxeslake.vault.vault import Vault


def pull(
    vault: Vault, version: Version, out: str | Path | None, container: ContainerKind | None, how: Pull
) -> PullReport:
    """Write a version to `out`, by default its own name in the current folder, and its annotations beside it."""
    target = None if out is None else named(out)
    if container is None:
        is_folder = out is not None and names_folder(out)
        container = "folder" if is_folder else container_of(version, target)
    if target is None:
        target = Path(default_name(version, container))
    if is_stream(target):  # nothing can stand beside it
        return how.to_path(vault, version, target, container)
    how.check(target, container)
    annotations_file.check(vault.state, version, target, force=how.force)
    report = how.to_path(vault, version, target, container)
    beside = annotations_file.write(vault.state, version, target, lake=vault.store.url, force=how.force)
    return replace(report, annotations=beside)


def why_not_exact(version: Version, target: PartTarget, *, exact: bool | None) -> str | None:
    """Why a pull to that place would not give the original file; NotFoundError where `exact` insists on it."""
    kind = target.kind(version)
    check_encryptable(kind, target.password)
    if exact is False:
        reason: str | None = "it was not requested"
    else:
        reason = ENCRYPTED if target.password is not None else reason_against(version, kind, target.level)
    if reason is not None and exact:
        raise not_exact(version, reason)
    return reason

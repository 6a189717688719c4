"""Annotations of a version, beside its pulled archive: `map.plzip` → `map.plzip.annotations.json`.

Beside it and not inside, so that the archive stays the one that was stored, byte for byte in every member, and so that
a merge of the same versions is the same file, whatever was annotated since. For a merge it has a list of `archives`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sxeslake.disk.output import written_file
from sxeslake.disk.trouble import told
from sxeslake.errors import AlreadyExistsError
from sxeslake.pull.part.assembly import Carried
from sxeslake.vault.log.state import Annotation, LogState, Version

SUFFIX = ".annotations.json"

Place = Callable[[str, str], str | None]
"""See `Carried.place`."""


def sidecar_of(out: Path) -> Path:
    """`out/map` → `out/map.annotations.json`: beside a folder, too."""
    return out.with_name(out.name + SUFFIX)


def check(state: LogState, version: Version, out: Path, *, force: bool) -> None:
    """Refuse to write over another's file, before anything is pulled; an archive that is there is refused elsewhere."""
    check_part(state, [Carried(version, _everything)], out, force=force)


def check_part(state: LogState, carried: Sequence[Carried], out: Path, *, force: bool) -> None:
    """As `check`, of what goes into a new archive."""
    target = sidecar_of(out)
    if not force and not out.exists() and target.exists() and any(_said(state, each) for each in carried):
        raise AlreadyExistsError("this is there already.", where=target, hint="`--force` writes over it.")


def write(state: LogState, version: Version, out: Path, *, lake: str, force: bool) -> str | None:
    """Write the version's annotations, if there are any; their path. With `force` existing ones are replaced."""
    return _publish(_entry(state, Carried(version, _everything)), out, lake=lake, force=force)


def write_part(
    state: LogState, carried: Sequence[Carried], out: Path, *, merged: bool, lake: str, force: bool
) -> str | None:
    """As `write`, of what goes into a new archive, positions under the UUIDs that they have there."""
    if not merged:
        return _publish(_entry(state, *carried), out, lake=lake, force=force)
    entries = [entry for entry in (_entry(state, each) for each in carried) if entry is not None]
    return _publish({"archives": entries} if entries else None, out, lake=lake, force=force)


def _everything(_target: str, uuid: str) -> str:
    return uuid


def _entry(state: LogState, carried: Carried) -> dict[str, Any] | None:
    """Annotations of one version, under its name; None where nothing is."""
    said = _said(state, carried)
    version = carried.version
    if not said:
        return None
    return {
        "sample": version.sample,
        "version": version.version,
        "content_id": version.archive.content_id,
        "annotations": said,
    }


def _said(state: LogState, carried: Carried) -> list[dict[str, Any]]:
    return list(_placed(state.annotations(carried.version.sample, carried.version.version), carried.place))


def _placed(annotations: Sequence[Annotation], place: Place) -> Iterator[dict[str, Any]]:
    """What concerns the new archive. `uuid` is the one there; `uuid_there` the version's own, where it is another."""
    for each in annotations:
        plain = {key: value for key, value in asdict(each).items() if value is not None}
        if each.uuid is not None:
            uuid = place(each.target, each.uuid)
            if uuid is None:
                continue
            if uuid != each.uuid:
                plain |= {"uuid": uuid, "uuid_there": each.uuid}
        yield plain


def _publish(document: dict[str, Any] | None, out: Path, *, lake: str, force: bool) -> str | None:
    target = sidecar_of(out)
    if document is None:
        if force:
            _remove(target)
        return None
    _put(target, json.dumps({"lake": lake, **document}, indent=2, ensure_ascii=False) + "\n", force=force)
    return str(target)


def _put(target: Path, text: str, *, force: bool) -> None:
    with written_file(target, force=force) as file:
        file.write(text.encode())


def _remove(target: Path) -> None:
    """Remove what an earlier pull said beside the archive; a file of that name that is none of ours stays."""
    with told(target):
        if _is_ours(target):
            target.unlink()


def _is_ours(target: Path) -> bool:
    try:
        document = json.loads(target.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and "lake" in document and ("annotations" in document or "archives" in document)

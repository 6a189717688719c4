"""What is said of a version, beside its pulled archive: `map.plzip` → `map.plzip.annotations.json`.

Beside it and not inside, so that the archive stays the one that was stored, byte for byte in every member.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sxeslake.errors import AlreadyExistsError, StorageError
from sxeslake.vault.state import Annotation, State, Version

SUFFIX = ".annotations.json"


def sidecar_of(out: Path) -> Path:
    """`out/map` → `out/map.annotations.json`: beside a folder, too."""
    return out.with_name(out.name + SUFFIX)


def check(state: State, version: Version, out: Path, *, force: bool) -> None:
    """Refuse to write over another's file, before anything is pulled; an archive that is there is refused elsewhere."""
    target = sidecar_of(out)
    if not force and not out.exists() and target.exists() and state.annotations(version.sample, version.version):
        raise AlreadyExistsError("this is there already.", where=target, hint="`--force` writes over it.")


def write(state: State, version: Version, out: Path, *, lake: str, force: bool) -> str | None:
    """Write what is said of the version, if anything; its path. With `force`, what was said before goes away."""
    said = state.annotations(version.sample, version.version)
    target = sidecar_of(out)
    if not said:
        if force:
            _remove(target)
        return None
    document = {
        "lake": lake,
        "sample": version.sample,
        "version": version.version,
        "content_id": version.archive.content_id,
        "annotations": [_plain(each) for each in said],
    }
    _put(target, json.dumps(document, indent=2, ensure_ascii=False) + "\n", force=force)
    return str(target)


def _put(target: Path, text: str, *, force: bool) -> None:
    """Whole or not at all."""
    made = target.with_name(f".{target.name[-100:]}.{secrets.token_hex(4)}.partial")
    try:
        made.write_text(text, encoding="utf-8")
        if target.exists() and not force:
            raise AlreadyExistsError("somebody made this meanwhile.", where=target)
        made.replace(target)
    except OSError as error:
        raise StorageError(f"cannot be written: {error.strerror or error}.", where=target) from error
    finally:
        made.unlink(missing_ok=True)


def _plain(said: Annotation) -> dict[str, Any]:
    return {key: value for key, value in asdict(said).items() if value is not None}


def _remove(target: Path) -> None:
    try:
        target.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"cannot be removed: {error.strerror or error}.", where=target) from error

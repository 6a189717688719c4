"""Groups as older converters wrote them: each slip that readers accept, by name."""

from __future__ import annotations

import hashlib
import json
import stat
import warnings
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from support.small_lakes import counts
from support.sxes_sources import sxes_source

Contents = dict[str, bytes]


def dump(value: Any) -> bytes:
    """JSON as converters write it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def new_group(nx: int = 3, ny: int = 2, *, seed: int = 1) -> Contents:
    """A raster as a converter writes it today, with members of other programs beside it."""
    found = dict(sxes_source(seed, nx, ny).contents)
    first = positions(found)[0]
    found[f"data/{first}/wds.custom.data"] = counts(7)
    found[f"data/{first}/notes.json"] = b'{ "spaced" : 1.50 }'
    found["notes/readme.txt"] = b"kept by nobody"
    return found


def old_group(slips: Iterable[str] | None = None, nx: int = 3, ny: int = 2) -> Contents:
    """The same with some slips; with all of them by default."""
    found = new_group(nx, ny)
    for name in SLIPS if slips is None else slips:
        SLIPS[name](found)
    return found


def positions(contents: Contents) -> list[str]:
    """The positions in the order listed."""
    metadata = json.loads(contents["metadata.json"])
    return [uuid for analysis in metadata["analyses"] for uuid in analysis["positionUuids"]]


def _raw_condition(contents: Contents) -> None:
    for path in [path for path in contents if path.startswith("data/") and path.endswith("/info.json")]:
        contents[path] = contents[path].replace(b'"rawConditionUuid"', b'"rawCondtionUuid"')


def _analyses(contents: Contents) -> None:
    contents["metadata.json"] = contents["metadata.json"].replace(b'"analysisUuids"', b'"analyses"')


def _no_version(contents: Contents) -> None:
    metadata = json.loads(contents["metadata.json"])
    metadata.pop("version", None)
    contents["metadata.json"] = dump(metadata)


def _background_suffix(contents: Contents) -> None:
    for path in [path for path in contents if path.startswith("backgrounds/")]:
        contents[f"{path}.json"] = contents.pop(path)


def _condition_without_suffix(contents: Contents) -> None:
    for path in [path for path in contents if path.startswith(("conditions/", "rawConditions/"))]:
        contents[path.removesuffix(".json")] = contents.pop(path)


SLIPS: dict[str, Callable[[Contents], None]] = {
    "rawCondtionUuid": _raw_condition,
    "analyses in projects": _analyses,
    "no version": _no_version,
    "backgrounds with .json": _background_suffix,
    "conditions without .json": _condition_without_suffix,
}


def with_condition(contents: Contents, **ccd: Any) -> Contents:
    """All positions under another condition."""
    (path,) = [path for path in contents if path.startswith("conditions/")]
    value = json.loads(contents[path])
    data = dump({**value, "ccd": {**value["ccd"], **ccd}})
    digest = hashlib.sha256(data).hexdigest()
    old = path.removeprefix("conditions/").removesuffix(".json")
    found = {each: raw.replace(old.encode(), digest.encode()) if each.endswith("info.json") else raw
             for each, raw in contents.items() if each != path}  # fmt: skip
    return {**found, f"conditions/{digest}.json": data}


def odd_zip(path: Path) -> Path:
    """An old group in a zip with a folder, a symbolic link, a name that is no UTF-8, and names that stand twice."""
    contents = old_group()
    first = next(name for name in contents if name.endswith("/info.json"))
    twice = [("notes/readme.txt", b"another"), (first, b'{"uuid":"another"}')]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of names that stand twice
        archive.writestr(zipfile.ZipInfo("data/"), b"")
        for name, data in [*contents.items(), *twice]:
            archive.writestr(zipfile.ZipInfo(name, (2020, 2, 29, 12, 0, 0)), data)
        link = zipfile.ZipInfo("link")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, b"notes/readme.txt")
        archive.writestr(zipfile.ZipInfo("notes/xxxx.txt"), b"legacy")
        archive.comment = b"mine"
    path.write_bytes(path.read_bytes().replace(b"notes/xxxx.txt", "notes/試料.txt".encode("cp932")))
    return path

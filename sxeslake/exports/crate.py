"""RO-Crate 1.1 as JSON-LD: what the files are, where they come from, who measured them, with which software.

The same tree in a zip, below one folder, is the ELN file format (`.eln`).
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Final
from urllib.parse import quote

from sxeslake.archive.spectra.measured import Measured
from sxeslake.errors import UsageError
from sxeslake.exports.report import files_of
from sxeslake.version import __version__

METADATA: Final = "ro-crate-metadata.json"
_CONTEXT: Final = "https://w3id.org/ro/crate/1.1/context"
_TYPES: Final = {
    ".csv": "text/csv", ".json": "application/json", ".msa": "text/plain", ".zip": "application/zip",
    ".plzip": "application/zip", ".pl7z": "application/x-7z-compressed", ".7z": "application/x-7z-compressed",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a crate says beside its files.

    `authors` are `NAME` or `NAME;ORCID`.
    """

    title: str
    lake: str
    commit: int
    license_url: str | None = None
    authors: Sequence[str] = ()
    warnings: Sequence[str] = ()


def write_metadata(folder: Path, rows: Iterable[Measured], said: Provenance) -> None:
    """Describe the files that are in a folder. Files of one version stand in a folder of that version."""
    graph = _graph(folder, list(rows), said, datetime.now(UTC).replace(microsecond=0))
    context = [_CONTEXT, {"sha256": "https://schema.org/sha256"}]
    text = json.dumps({"@context": context, "@graph": graph}, indent=2, ensure_ascii=False)
    (folder / METADATA).write_text(text + "\n", encoding="utf-8")


def write_zip(out: BinaryIO, folder: Path, root: str) -> None:
    """The folder as a zip with the one folder `root`."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                name = f"{root}/{path.relative_to(folder).as_posix()}"
                with path.open("rb") as source, made.open(name, "w", force_zip64=True) as target:
                    shutil.copyfileobj(source, target)


def people(authors: Sequence[str]) -> list[dict[str, Any]]:
    """`NAME;ORCID` as persons. UsageError for what is no name."""
    found = []
    for author in authors:
        name, _, orcid = (part.strip() for part in author.partition(";"))
        digits = orcid.removeprefix("https://orcid.org/")
        if not name or (orcid and len(digits.replace("-", "")) != 16):
            raise UsageError(f"{author!r} is not an author.", where="--author", hint="Write NAME or NAME;ORCID.")
        place = f"https://orcid.org/{digits}" if orcid else f"#person-{quote(name)}"
        found.append({"@id": place, "@type": "Person", "name": name})
    return found


def _graph(folder: Path, rows: Sequence[Measured], said: Provenance, now: datetime) -> list[dict[str, Any]]:
    authors = people(said.authors)
    files = [_file_entity(each.path, each.bytes_written, each.sha256) for each in files_of(folder)]
    parts = _parts([each["@id"] for each in files])
    tool = {
        "@id": f"#sxeslake-{__version__}", "@type": "SoftwareApplication", "name": "sxeslake", "version": __version__,
        "softwareVersion": __version__,
    }  # fmt: skip
    root: dict[str, Any] = {
        "@id": "./", "@type": "Dataset", "name": said.title, "datePublished": now.isoformat(),
        "description": " ".join([f"Soft-X-ray emission spectra of {said.title} from the lake {said.lake}, commit "
                                 f"{said.commit}.", *(f"Note: {warning}." for warning in said.warnings)]),
        "hasPart": _references(each["@id"] for each in parts),
        "mentions": {"@id": "#export"},
    }  # fmt: skip
    licences = []
    if said.license_url:
        root["license"] = {"@id": said.license_url}
        licences = [{"@id": said.license_url, "@type": "CreativeWork", "name": said.license_url}]
    if authors:
        root["author"] = _references(each["@id"] for each in authors)
    export = {
        "@id": "#export", "@type": "CreateAction", "name": f"Export from {said.lake}, commit {said.commit}",
        "instrument": {"@id": tool["@id"]}, "endTime": now.isoformat(), "result": {"@id": "./"},
        "object": _references(f"#{quote(each)}" for each in _archives(rows)),
    }  # fmt: skip
    descriptor = {
        "@id": METADATA, "@type": "CreativeWork", "about": {"@id": "./"},
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"}, "sdPublisher": {"@id": tool["@id"]},
        "dateCreated": now.isoformat(), "version": "1.0",
    }  # fmt: skip
    measured = _measurements(rows, said)
    return [descriptor, root, *parts, *files, tool, export, *measured, *authors, *licences]


def _file_entity(path: str, size: int, sha256: str) -> dict[str, Any]:
    name = PurePosixPath(path).name
    kind = _TYPES.get(PurePosixPath(path).suffix.lower(), "application/octet-stream")
    return {
        "@id": quote(path), "@type": "File", "name": name, "encodingFormat": kind, "contentSize": str(size),
        "sha256": sha256,
    }  # fmt: skip


def _parts(ids: Sequence[str]) -> list[dict[str, Any]]:
    """The folders at the top, each with its files."""
    folders: dict[str, list[str]] = {}
    for each in ids:
        folders.setdefault(each.partition("/")[0] + "/", []).append(each)
    return [
        {"@id": f"./{folder}", "@type": "Dataset", "name": folder.rstrip("/"), "hasPart": _references(inside)}
        for folder, inside in folders.items()
    ]


def _references(ids: Iterable[str]) -> dict[str, str] | list[dict[str, str]]:
    """References to entities; a single one is no list, as RO-Crate recommends."""
    found = [{"@id": each} for each in ids]
    return found[0] if len(found) == 1 else found


def _archives(rows: Sequence[Measured]) -> list[str]:
    return list(dict.fromkeys(row.archive for row in rows))


def _measurements(rows: Sequence[Measured], said: Provenance) -> list[dict[str, Any]]:
    """A version, its measurement, its operators and its instruments."""
    entities: dict[str, dict[str, Any]] = {}
    for archive in _archives(rows):
        own = [row for row in rows if row.archive == archive]
        times = sorted(row.acquired_local for row in own if row.acquired_local)
        action: dict[str, Any] = {
            "@id": f"#measurement-{quote(archive)}", "@type": "CreateAction", "name": f"Measurement of {archive}",
            "result": {"@id": f"#{quote(archive)}"},
        }  # fmt: skip
        if times:
            action |= {"startTime": times[0].isoformat(), "endTime": times[-1].isoformat()}
        for key, field, kind in (("agent", "operator", "Person"), ("instrument", "instrument", "IndividualProduct")):
            names = dict.fromkeys(getattr(row, field) for row in own if getattr(row, field))
            made = [{"@id": f"#{field}-{quote(name)}", "@type": kind, "name": name} for name in names]
            entities |= {each["@id"]: each for each in made}
            if made:
                action[key] = _references(each["@id"] for each in made)
        version: Mapping[str, Any] = {
            "@id": f"#{quote(archive)}", "@type": "CreativeWork", "name": archive,
            "description": f"Version {archive} of the lake {said.lake}, commit {said.commit}.",
        }  # fmt: skip
        entities |= {action["@id"]: action, version["@id"]: dict(version)}
    return list(entities.values())

"""Files to take away: a member, a picture, a whole version, or the selection as an archive or a table of spectra."""

from __future__ import annotations

import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sxeslake.batching import runs
from sxeslake.errors import MemberNotFoundError, NotFoundError
from sxeslake.web.answers import RangedDownload, RawAnswer
from sxeslake.web.scans import analysis_rows, data_type_of, selected

if TYPE_CHECKING:
    from sxeslake.archive.spectra.measured import Measured
    from sxeslake.web.visit import Visit

FORMATS: Final = ("plzip", "pl7z", "csv", "msa")
_PICTURES: Final = {
    "bmp": "image/bmp", "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif",
}  # fmt: skip
_UNSAFE: Final = re.compile(r"[^\w.@+-]+")


def member(visit: Visit) -> RangedDownload:
    """A file of an archive, to be saved: never shown, as it may be anything."""
    ref, path = visit.pinned(visit.of), visit.needed("path")
    files = visit.lake.files(ref)
    row = files.row(path)
    if row is None or row.member.kind == "directory":
        raise MemberNotFoundError("this archive has no such file.", hint="The page of the archive lists its files.")
    found = row
    return RangedDownload(
        found.member.size, lambda start, end: files.read_ranges([(found, start, end)])[0],
        path.rpartition("/")[2] or "member", found.digest.hex(),
    )  # fmt: skip


def picture(visit: Visit) -> RawAnswer:
    """A picture of the sample, as the instrument stored it, where browsers know its kind."""
    ref = visit.pinned(visit.of)
    image = visit.lake.open_group(ref).images[visit.needed("image")]
    media_type = _PICTURES.get(image.image_type.lower(), "application/octet-stream")
    return RawAnswer(image.picture, media_type, is_fixed=visit.of == ref)


def version(visit: Visit) -> RangedDownload:
    """A whole version as a zip that is made as it is read, so that a download can go on where it stopped."""
    ref = visit.pinned(visit.of)
    files = visit.lake.files(ref)
    archive = files.archive
    suffix = ".plzip" if files.version.archive.kind == "sxes" else ".zip"
    etag = f"zip-{files.version.archive.layout_id[:32]}-{archive.size}"
    return RangedDownload(archive.size, archive.read, f"{_plain(ref)}{suffix}", etag)


def original(visit: Visit) -> RangedDownload:
    """The file that was ingested, byte for byte, rebuilt on this machine's disk first."""
    ref = visit.pinned(visit.of)
    info = visit.lake.show(ref)
    if not info.exact:
        raise NotFoundError(f"the original file cannot be rebuilt: {info.exact_reason}.", hint="Take the zip instead.")
    name = _plain(info.name)

    def make(folder: Path) -> Path:
        out = folder / name
        visit.lake.pull(ref, out, container="7z" if info.container == "7z" else "zip", exact=True)
        return out

    return _temporary(make, f"sha256-{info.source.sha256}")


def selection(visit: Visit) -> RangedDownload:
    """The selected positions of an analysis, made on this machine's disk first, and removed when they are sent."""
    ref, form = visit.pinned(visit.of), visit.choice("format", FORMATS)
    chosen = selected(visit, analysis_rows(visit, ref, visit.one("analysis")))
    return _temporary(lambda folder: _made(visit, ref, form, chosen, folder))


def _temporary(make: Callable[[Path], Path], etag: str = "") -> RangedDownload:
    """A file that is made for one answer. Without an `etag` an interrupted download begins anew."""
    folder = Path(tempfile.mkdtemp(prefix="sxeslake-web-"))

    def clear() -> None:
        shutil.rmtree(folder, ignore_errors=True)

    try:
        made = make(folder)
        size = made.stat().st_size
    except BaseException:
        clear()
        raise

    def read(start: int, end: int) -> bytes:
        with made.open("rb") as file:
            file.seek(start)
            return file.read(end - start)

    return RangedDownload(size, read, made.name, etag or f"made-{made.stat().st_mtime_ns:x}-{size}", close=clear)


def _made(visit: Visit, ref: str, form: str, chosen: list[Measured], folder: Path) -> Path:
    """The file of a selection; several MSA files come in a zip."""
    name = f"{_plain(ref)} part"
    uuids = [row.position_uuid for row in chosen]
    if form in ("plzip", "pl7z"):
        out = folder / f"{name}.{form}"
        visit.lake.pull_part(ref, out, positions=uuids)
        return out
    numbers = _numbers([row.number for row in chosen if row.number is not None])
    data_type = data_type_of(visit)
    if form == "csv":
        out = folder / f"{name}.csv"
        visit.lake.export(ref, out, to="csv", positions=numbers, data_type=data_type)
        return out
    if len(chosen) == 1:
        out = folder / f"{name}.msa"
        visit.lake.export(ref, out, to="msa", positions=numbers, data_type=data_type)
        return out
    parts = folder / "msa"
    visit.lake.export(ref, f"{parts}/", to="msa", positions=numbers, data_type=data_type)
    out = folder / f"{name} msa.zip"
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(parts.iterdir()):
            archive.write(path, path.name)
    return out


def _numbers(numbers: list[int]) -> str:
    """1, 2, 3, 7 → `1..3,7`."""
    return ",".join(f"{low}..{high}" if low < high else str(low) for low, high in runs(numbers))


def _plain(ref: str) -> str:
    """A name for a file of the visitor's disk."""
    return _UNSAFE.sub(" ", ref).strip(" .")[:80] or "archive"

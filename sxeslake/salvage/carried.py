"""What a lake carries about itself: how to read it, for a day on which there is no sxeslake any more."""

from __future__ import annotations

import io
import zipfile
from importlib import resources

from sxeslake.format import keys

_README = """\
This is a sxeslake lake: archives of electron-microprobe measurements, each content stored once.
`salvage.pyz` restores them without sxeslake (Python 3.11 and five libraries; a copy of this folder or bucket):

    python salvage.pyz LAKE list
    python salvage.pyz LAKE restore OUT

It is a zip file: `unzip salvage.pyz FORMAT.md` gives the description of every byte in here.
"""


def texts() -> dict[str, bytes]:
    """Key → bytes: the text for whoever comes across the lake, and the reader with the format beside it."""
    return {keys.README: _README.encode(), keys.SALVAGE: _salvage()}


def _salvage() -> bytes:
    """`salvage.py` and FORMAT.md as one file that Python runs; deflated, for a small lake should be small."""
    package, buffer = resources.files("sxeslake"), io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for name, source in (
            ("__main__.py", package.joinpath("salvage", "salvage.py")),
            ("FORMAT.md", package.joinpath("FORMAT.md")),
        ):
            entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))  # the same bytes in every lake of a release
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            packed.writestr(entry, source.read_bytes())
    return buffer.getvalue()

"""What an interpretation tells of one stored tree."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sxeslake.text.html import HtmlRecord

InterpretStatus = Literal["interpreted", "planned", "unchanged", "failed"]


@dataclass(slots=True)
class InterpretReport(HtmlRecord):
    """What became of one version that holds files of an instrument.

    Attributes
    ----------
    sample, version : str, int
        The version that was read.
    status : {"interpreted", "planned", "unchanged", "failed"}
        ``"planned"`` is of a dry run; ``"unchanged"``: the archive is in the lake already.
    to_sample, to_version : str and int, or None
        The sample that was made of it.
    commit : int or None
        The commit that added it.
    contents : str or None
        What was read, in words.
    analyses, positions, maps, images, documents : int
        What the archive holds.
    vendor_files, bytes_source : int
        The instrument's files, and their bytes.
    members, blobs, blobs_new : int
        Members of the archive; its blobs, and those that the lake lacked.
    arrays_new, bytes_arrays_new : int
        Arrays that the lake lacked, and their bytes: those that are a part of a file, or that a reader decodes.
    json_new, bytes_json_new : int
        JSON documents that the lake lacked, and their bytes.
    bytes_stored : int
        What the new blobs take in the lake.
    warnings, left_out : list of str
        Each odd thing; files of which nothing is in the archive.
    error : str or None
        Why it failed.
    exit_code : int
        Of the error, as the command line has it; 0 where there is none.

    Examples
    --------
    >>> report = lake.ingest("session 12", sample="as it was", tree=True)
    >>> (report,) = lake.interpret("as it was", name="read")
    >>> report.status, report.to_sample, report.positions
    ('interpreted', 'read', 4)
    """

    sample: str
    version: int
    status: InterpretStatus = "failed"
    to_sample: str | None = None
    to_version: int | None = None
    commit: int | None = None
    contents: str | None = None
    analyses: int = 0
    positions: int = 0
    maps: int = 0
    images: int = 0
    documents: int = 0
    vendor_files: int = 0
    bytes_source: int = 0
    members: int = 0
    blobs: int = 0
    blobs_new: int = 0
    arrays_new: int = 0
    bytes_arrays_new: int = 0
    json_new: int = 0
    bytes_json_new: int = 0
    bytes_stored: int = 0
    warnings: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    error: str | None = None
    exit_code: int = 0

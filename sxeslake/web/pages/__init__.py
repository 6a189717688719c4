"""The pages of a lake and what they load, by the last part of their address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sxeslake.web.answers import Endpoint
from sxeslake.web.pages import (
    analysis,
    archive,
    comparing,
    finding,
    overview,
    plotted,
    position,
    questions,
    rows,
    taking,
)

ENDPOINTS: Final[Mapping[str, Endpoint]] = {
    "find": Endpoint(finding.page),
    "archive": Endpoint(archive.page),
    "analysis": Endpoint(analysis.page),
    "position": Endpoint(position.page),
    "compare": Endpoint(comparing.page, heavy=True, across=True),
    "questions": Endpoint(questions.library_page),
    "question": Endpoint(questions.question_page),
    "sql": Endpoint(questions.sql_page, heavy=True),
    "overview": Endpoint(overview.page),
    "rows": Endpoint(rows.rows, heavy=True),
    "places": Endpoint(plotted.places),
    "roi": Endpoint(plotted.roi, heavy=True),
    "map.png": Endpoint(plotted.map_image, heavy=True),
    "scale.svg": Endpoint(plotted.colour_bar, heavy=True),
    "sum.f32": Endpoint(plotted.sum_spectrum, heavy=True),
    "spectra.f32": Endpoint(plotted.spectra, across=True),
    "spectra.svg": Endpoint(plotted.spectra_image, heavy=True, across=True),
    "marks": Endpoint(plotted.line_marks),
    "camera.png": Endpoint(plotted.camera_image),
    "member": Endpoint(taking.member),
    "picture": Endpoint(taking.picture),
    "download": Endpoint(taking.version),
    "original": Endpoint(taking.original, heavy=True),
    "take": Endpoint(taking.selection, heavy=True),
}
"""Pages have a JSON twin; the others give images, spectra and files."""

"""The values that occur, kept beside the local catalogue: for a shell that completes `--grating` without a database.

    <cache>/<lake>/catalog/values.json    {"grating": ["JS2000", "JS300N"], "kind": ["map"], …}

Made whenever the catalogue was brought up to date; old or missing, it costs a suggestion.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sxeslake.vault.local import private

if TYPE_CHECKING:
    from sxeslake.catalog.store.database import Database

_NAME: Final = "values.json"
_FOLDER: Final = "catalog"
_MOST: Final = 1000  # values of one kind
_ONE: Final = {"instrument": "instrument", "kind": "kind", "project": "project", "analysis": "analysis_name"}
_SEVERAL: Final = {
    "grating": "gratings", "spectrometer": "spectrometers", "operator": "operators", "type": "types",
}  # fmt: skip
"""The word of a filter, and the column of analyses that holds its values: one of them, or a list."""


def note(database: Database, folder: Path, catalogue: Path) -> None:
    """Keep the values that occur in the analyses beside the catalogue; nothing is fetched for it.

    Values that are newer than `catalogue`, the list of its parts, are left as they are: a query of an unchanged lake
    does not pay for them.
    """
    if _is_newer(folder / _NAME, catalogue) or not database.has_here("analyses"):
        return
    parts = [f"SELECT '{word}' AS word, {column} AS value FROM analyses" for word, column in _ONE.items()]
    parts += [f"SELECT '{word}', unnest({column}) FROM analyses" for word, column in _SEVERAL.items()]
    rows = database.rows(
        f"SELECT DISTINCT word, value FROM ({' UNION ALL '.join(parts)}) WHERE value <> '' ORDER BY word, value"
    )
    found: dict[str, list[str]] = {}
    for word, value in rows:
        found.setdefault(word, []).append(value)
    data = json.dumps({word: values[:_MOST] for word, values in found.items()}, ensure_ascii=True).encode()
    with suppress(OSError):  # a full disk, a cache that cannot be written
        private.replace(folder / _NAME, data)


def _is_newer(values: Path, catalogue: Path) -> bool:
    try:
        return values.stat().st_mtime_ns > catalogue.stat().st_mtime_ns
    except OSError:
        return False


def values_in(lake: Path) -> Mapping[str, list[str]]:
    """What was kept in the cache folder of a lake: word of a filter → values."""
    try:
        document = json.loads((lake / _FOLDER / _NAME).read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(document, dict):
        return {}
    return {word: [str(value) for value in values] for word, values in document.items() if isinstance(values, list)}

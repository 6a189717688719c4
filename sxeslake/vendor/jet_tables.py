"""Tables of a Jet database as JSON, by `access_parser`: run as a program of its own, never imported.

The package follows chains of pages without looking for circles, and leaves out a value that it cannot place, so that
columns shift. Hence a process with limits, and no table whose columns differ in length.
"""

from __future__ import annotations

import json
import logging
import math
import sys
from typing import Any

_MOST_MEMORY = 4 << 30


def main() -> None:
    """Write the tables that are asked for: `jet_tables.py FILE TABLE…`."""
    _limit()
    logging.disable(logging.CRITICAL)
    from access_parser import AccessParser  # noqa: PLC0415 - after the limits

    path, *wanted = sys.argv[1:]
    database = AccessParser(path)
    found: dict[str, Any] = {}
    for name in wanted:
        if name not in database.catalog:
            continue
        columns = {column: list(values) for column, values in database.parse_table(name).items()}
        if len({len(values) for values in columns.values()}) > 1:
            found[name] = None
        else:
            rows = zip(*columns.values(), strict=True)
            found[name] = [{key: _plain(value) for key, value in zip(columns, row, strict=True)} for row in rows]
    sys.stdout.write(json.dumps(found))


def _plain(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int) else None


def _limit() -> None:
    """Bound the memory, where the system can."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))


if __name__ == "__main__":
    main()

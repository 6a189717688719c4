"""Tables for notebooks: plain HTML, everything in it escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from sxeslake.safetext import visible


def html_table(
    headings: Sequence[str], rows: Iterable[Sequence[object]], *, caption: str = "", below: Sequence[str] = ()
) -> str:
    """A table with a caption above and lines below it; None is an empty cell."""
    head = "".join(f"<th>{_escaped(name)}</th>" for name in headings)
    body = "".join(f"<tr>{''.join(f'<td>{_escaped(cell)}</td>' for cell in row)}</tr>" for row in rows)
    title = f"<caption>{_escaped(caption)}</caption>" if caption else ""
    lines = f"<p>{'<br>'.join(map(_escaped, below))}</p>" if below else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{lines}"


def _escaped(cell: object) -> str:
    return "" if cell is None else html.escape(visible(cell))

"""What a handler gives back: a page, bytes, a table to take away, or a file that is read in parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from sxeslake.web.visit import Visit

if TYPE_CHECKING:
    from sxeslake.catalog.query.result import Result


@dataclass(frozen=True, slots=True)
class WebPage:
    """A page: its template and the facts in it, which are the JSON twin, too."""

    template: str
    title: str
    data: Mapping[str, Any]
    shell: str = ""  # the command line that tells the same
    python: str = ""
    view: Mapping[str, Any] = field(default_factory=dict)  # what only the page needs: links, forms, tables
    permalink: str = ""
    is_whole: bool = True  # False where something could not be read: such a page is not kept


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """Bytes of a type; `is_fixed` where an address with a version always gives them."""

    data: bytes
    media_type: str
    is_fixed: bool = False
    is_whole: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TableAnswer:
    """Rows to take away, as a file of that name."""

    result: Result
    name: str
    format: str


@dataclass(frozen=True, slots=True)
class RangedDownload:
    """A file whose bytes can be read in any part, so that an interrupted download goes on."""

    size: int
    read: Callable[[int, int], bytes]
    name: str
    etag: str
    media_type: str = "application/octet-stream"
    disposition: Literal["attachment", "inline"] = "attachment"
    close: Callable[[], None] | None = None


Answer = WebPage | RawAnswer | TableAnswer | RangedDownload
Handler = Callable[[Visit], Answer]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A handler; whether its work is heavy: many spectra, free SQL, a file that has to be made first; and whether it
    may show what other lakes of the server hold.
    """

    handler: Handler
    heavy: bool = False
    across: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table on a page."""

    text: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class WebTable:
    """A table on a page: the first rows, how many there are in all, and where all of them are to be had."""

    caption: str
    heads: Sequence[str]
    numeric: Sequence[bool]
    rows: Sequence[Sequence[Cell]]
    total: int
    notes: Sequence[str] = ()
    take: str = ""  # `rows?table=find&kv=5`: what a format is added to
    previous: str = ""
    following: str = ""

"""Errors as pages: a status, what is wrong and what to do; never a path, a secret or a traceback."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sxeslake.errors import (
    ConflictError,
    DamagedLakeError,
    InputError,
    MissingExtraError,
    NotFoundError,
    StorageError,
    SxeslakeError,
    UsageError,
)
from sxeslake.text.safe import visible_lines
from sxeslake.web.work import TooBusyError

RETRY_AFTER_S: Final = 5

_KINDS: Final[tuple[tuple[type[SxeslakeError], int, str], ...]] = (
    (TooBusyError, 429, "The server is busy"),
    (MissingExtraError, 501, "This server cannot do that"),
    (UsageError, 400, "This address cannot be understood"),
    (NotFoundError, 404, "Not found"),
    (DamagedLakeError, 500, "The lake is damaged here"),
    (StorageError, 503, "The lake cannot be reached now"),
    (InputError, 422, "This cannot be shown"),
    (ConflictError, 503, "The lake changed meanwhile"),
)
_PATH: Final = re.compile(r"(?<![\w./:@-])(?:file://)?/(?:[^\s/'\"`,;]+/)+[^\s/'\"`,;]*|[A-Za-z]:\\[^\s'\"`,;]+")
_USERINFO: Final = re.compile(r"(?<=://)[^/@\s]+@")


@dataclass(frozen=True, slots=True)
class FailureText:
    """An error for people."""

    status: int
    title: str
    what: str
    hint: str

    @property
    def retry_after_s(self) -> int | None:
        """After how many seconds it may be different."""
        return RETRY_AFTER_S if self.status in (429, 503) else None


def failure_of(error: Exception, places: Iterable[str] = ()) -> FailureText:
    """The words for an error; `places` are addresses of lakes, which nobody is told."""
    if not isinstance(error, SxeslakeError):
        return FailureText(
            500, "Something went wrong", "This page could not be made.", "The server's log says why; tell its operator."
        )
    status, title = next(
        ((status, title) for kind, status, title in _KINDS if isinstance(error, kind)),
        (500, "Something went wrong"),
    )
    hint = error.hint or ""
    if not hint or (status == 404 and "`" in hint):  # here a page is nearer than a command
        hint = _HINTS.get(status, "")
    what = _public(error.what, places)
    return FailureText(status, title, what[:1].upper() + what[1:], _public(hint, places))


_HINTS: Final = {
    404: "It may have been renamed or forgotten. The page Find lists what there is.",
    500: "Tell the keeper of the lake: `sxeslake verify` finds all damage, `sxeslake repair` replaces it from copies.",
    503: "Try again in a few seconds.",
}


def _public(text: str, places: Iterable[str]) -> str:
    for place in sorted(filter(None, places), key=len, reverse=True):
        text = text.replace(place, "the lake")
    return visible_lines(_PATH.sub("…", _USERINFO.sub("***@", text)))


def not_there() -> FailureText:
    """For an address that no page has."""
    return FailureText(404, "Not found", "There is no such page.", "The first page lists the lakes of this server.")

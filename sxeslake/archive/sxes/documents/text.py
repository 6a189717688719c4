"""JSON members as they are: exact bytes kept, text of any legacy encoding, broken ones reported and never fatal."""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sxeslake.errors import UsageError

_BROKEN: Final = (ValueError, RecursionError)  # RecursionError: nesting beyond the interpreter's stack


@dataclass(frozen=True, slots=True)
class GroupWarning:
    """Something odd that was kept and passed over: `data/<uuid>/info.json: not valid JSON (line 3 column 1)`.

    Attributes
    ----------
    path : str
        The member.
    problem : str
        What is odd, in words.
    """

    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


@dataclass(frozen=True, slots=True)
class Document:
    """One JSON member. `value` is None where `problem` says that it could not be parsed.

    `encoding` is what a change will be written in; None where the text could not be decoded without loss, so
    that a change would lose bytes.
    """

    path: str
    raw: bytes
    value: object
    encoding: str | None
    problem: str | None = None

    @property
    def fields(self) -> dict[str, object]:
        """The value if it is an object, else empty."""
        return self.value if isinstance(self.value, dict) else {}


def check_encoding(encoding: str | None) -> str | None:
    """The encoding, if there is one of that name."""
    if encoding is not None:
        try:
            codecs.lookup(encoding)
        except LookupError as error:
            raise UsageError(f"unknown encoding {encoding}", hint="Try cp932, cp437 or latin-1.") from error
    return encoding


def parse(path: str, raw: bytes, encoding: str | None = None) -> Document:
    """Parse a JSON member as UTF-8, else in the given legacy encoding (`cp932`, `cp437`)."""
    text, used, problem = _decode(raw, encoding)
    try:
        value = json.loads(text)
    except _BROKEN as error:
        return Document(path, raw, None, None, problem or f"not valid JSON ({_reason(error)})")
    if not isinstance(value, dict):
        problem = problem or f"holds a JSON {type(value).__name__} where an object belongs"
    return Document(path, raw, value, used, problem)


def dump(value: Mapping[str, object], encoding: str | None = "utf-8") -> bytes:
    """JSON in the format's own style: no spaces, text as it is, escapes only where the encoding needs them."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    try:
        return text.encode(encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode(encoding or "utf-8")


def _decode(raw: bytes, encoding: str | None) -> tuple[str, str | None, str | None]:
    """Text, the encoding that gives the same bytes back (or None), the problem (or None)."""
    native = json.detect_encoding(raw)
    for candidate in (native, encoding):
        if candidate is not None:
            try:
                return raw.decode(candidate), candidate, None
            except UnicodeDecodeError:
                continue
    tried = f"neither UTF-8 nor {encoding}" if encoding else "not UTF-8; open with encoding= (cp932, cp437)"
    return raw.decode("utf-8", "replace"), None, f"text is {tried}"


def _reason(error: Exception) -> str:
    """The parser's words, short."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}, line {error.lineno} column {error.colno}"
    return "nested too deep" if isinstance(error, RecursionError) else "a number too long to read"

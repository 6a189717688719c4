"""What people say of samples, analyses and positions: from words and spreadsheets to items of a log entry.

    parse_words(["role=standard", "coating="])  →  {"role": "standard", "coating": None}

A key without a value removes the annotation. The archive itself is never touched.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sxeslake.errors import InputError, NotFoundError, UsageError
from sxeslake.text.suggest import did_you_mean, nearest

SUGGESTED: Final = ("material", "mount", "coating", "role", "proposal", "exposure_s")
"""Keys that the queries know or that many will use; any other is as good."""
PLACES: Final = ("sample", "analysis", "position")
"""Columns of a table of annotations that say what a line is about; no key is called so."""
MAX_VALUE: Final = 4096
"""Characters of a value: a remark, not a document."""
SHORTEST_START: Final = 4
"""Of a UUID, so much at least must be written."""

_KEY = re.compile(r"[a-z][a-z0-9_]{0,63}")
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")

Values = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Remark:
    """Values for one place: a sample (`ti-grains`, `ti-grains@2`), or an analysis or a position of it."""

    ref: str
    values: Values
    analysis: str | None = None
    position: str | None = None

    @property
    def target(self) -> str:
        """`sample`, `analysis` or `position`."""
        return "position" if self.position else "analysis" if self.analysis else "sample"


def parse_words(words: Sequence[str]) -> dict[str, str | None]:
    """`role=standard` → `{"role": "standard"}`; UsageError for anything that is no `key=value`."""
    found: dict[str, str | None] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f'"{word}" is not an annotation.', hint="Write KEY=VALUE, such as role=standard.")
        if key.strip() in found:
            raise UsageError(f'"{key.strip()}" is given twice.')
        found[key.strip()] = value
    return checked(found)


def checked(values: Mapping[str, object]) -> dict[str, str | None]:
    """Keys and values as the log keeps them; UsageError for those that it does not."""
    if not values:
        raise UsageError("the annotation is empty.", hint="Write KEY=VALUE, such as role=standard.")
    return {_key(key): _value(key, value) for key, value in values.items()}


def _key(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise UsageError(
            f'"{key}" is not a key.', hint="Keys are lower-case letters, digits and underscores, such as exposure_s."
        )
    if key in (*PLACES, "version"):
        raise UsageError(f'no key is called "{key}".', hint="It names what the annotation is about.")
    return key


def _value(key: str, value: object) -> str | None:
    text = "" if value is None else str(value).strip()
    if not text:
        return None
    if len(text) > MAX_VALUE:
        raise UsageError(f"the value is longer than {MAX_VALUE} characters.", where=key)
    if any(unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\n\t" for sign in text):
        raise UsageError("the value has control characters or half characters.", where=key)
    if key.endswith("_s") and not _NUMBER.fullmatch(text):
        raise UsageError(f'"{text}" is not a number of seconds.', where=key, hint="Write it without a unit: 30 or 0.5.")
    return text


def parse_csv(text: str, where: object) -> list[Remark]:
    """The lines of a table: `sample`, perhaps `analysis`, `position`; then `key` and `value`, or a column a key.

    An empty cell says nothing. UsageError and InputError name the line.
    """
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        names = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = names
        _check_columns(names, where)
        remarks = [remark for row in reader for remark in _remark(row, f"{where}, line {reader.line_num}")]
    except csv.Error as error:
        raise InputError(f"this is not CSV: {error}.", where=f"{where}, line {reader.line_num}") from error
    if not remarks:
        raise InputError("there is no annotation in it.", where=where)
    return remarks


def read_csv(path: str | Path) -> list[Remark]:
    """Remarks from a file in UTF-8; NotFoundError where it cannot be read."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"this table is not UTF-8 text: byte {error.start}.", where=path) from None
    except OSError as error:
        raise NotFoundError(f"this table cannot be read: {error.strerror}.", where=path) from None
    return parse_csv(text, path)


def _check_columns(names: Sequence[str], where: object) -> None:
    if "sample" not in names:
        hint = did_you_mean("sample", names) or "The first line names the columns: sample,role,material."
        raise InputError('there is no column "sample".', where=where, hint=hint)
    if len(set(names)) < len(names):
        raise InputError("two columns have the same name.", where=where)
    if ("key" in names) != ("value" in names):
        raise InputError('the columns "key" and "value" go together.', where=where)


def _remark(row: Mapping[Any, Any], where: str) -> Iterator[Remark]:
    if None in row or None in row.values():
        raise InputError("this line has not as many cells as the first.", where=where)
    cells = {name: value.strip() for name, value in row.items()}
    ref, analysis, position = (cells.pop(name, "") or None for name in PLACES)
    if "key" in cells:
        said = {cells["key"]: cells["value"]} if cells["key"] else {}
    else:
        said = {key: value for key, value in cells.items() if value}
    if not said:
        return
    if ref is None:
        raise InputError("this line names no sample.", where=where)
    try:
        yield Remark(ref, checked(said), analysis, position)
    except UsageError as error:
        raise InputError(f"{error.where}: {error.what}" if error.where else error.what, where=where, hint=error.hint) \
            from error  # fmt: skip


def full_uuid(written: str, known: Iterable[str | None], what: str, where: str) -> str:
    """The UUID that is meant by it or by its unique start, `52c9e1d0` or `52c9e1d0…`; NotFoundError otherwise."""
    written = written.removesuffix("…")
    uuids = sorted({uuid for uuid in known if uuid})
    if written in uuids:
        return written
    starting = [uuid for uuid in uuids if uuid.lower().startswith(written.lower())]
    if len(starting) == 1 and len(written) >= SHORTEST_START:
        return starting[0]
    if len(starting) > 1:
        raise UsageError(f'{len(starting)} UUIDs of its {what} start with "{written}".', where=where)
    near = nearest(written, uuids)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"It has {len(uuids)}; `sxeslake query` shows them."
    raise NotFoundError(f'it has no {what} "{written}".', where=where, hint=hint)


def items(sample: str, version: int | None, target: str, uuid: str | None, values: Values) -> list[dict[str, Any]]:
    """What a log entry keeps of a remark."""
    return [
        {"sample": sample, "version": version, "target": target, "uuid": uuid, "key": key, "value": value}
        for key, value in values.items()
    ]


def slips(keys: Iterable[str], used: Iterable[str]) -> list[str]:
    """A word on each new key that is nearly a known one: it may be meant."""
    known = {*SUGGESTED, *used}
    return [
        f'"{key}" is a new key. {hint}'
        for key in dict.fromkeys(keys)
        if key not in known and (hint := did_you_mean(key, known)).startswith("Did")
    ]

"""Tags and holds: names for versions, and versions that nobody shall forget."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sxeslake.errors import ConflictError, NotFoundError, UsageError
from sxeslake.format.logentry import Entry
from sxeslake.maintenance.retention.forget import chosen
from sxeslake.text.html import HtmlRecord
from sxeslake.vault import refs
from sxeslake.vault.log.commit import blank_entry
from sxeslake.vault.log.state import Head
from sxeslake.vault.vault import Vault

_LOG = logging.getLogger(__name__)

_MAX_TAG_CHARS = 100
_UNFIT = re.compile(r"[\x00-\x20\x7f@*?\[\]]")  # `@` parts it from the name, the others are a shell's

Action = Literal["add", "remove"]


@dataclass(frozen=True, slots=True)
class MarkReport(HtmlRecord):
    """What was marked; no commit where all of it was so already.

    Attributes
    ----------
    commit : int or None
        The commit; None where nothing was changed.
    marked : list of str
        The versions that were changed.

    Examples
    --------
    >>> lake.hold("map").commit
    2
    >>> lake.hold("map").commit is None
    True
    """

    commit: int | None
    marked: list[str]


def check_tag(tag: str) -> str:
    """`paper-2026`, if it can be told from a version number and stands well behind an `@`."""
    if not tag or len(tag) > _MAX_TAG_CHARS or _UNFIT.search(tag) or not tag.isprintable():
        raise UsageError(f"invalid tag: {tag!r}", hint="A tag is a word without spaces, `@`, `*`, `?`, `[` and `]`.")
    if tag.isdigit():
        raise UsageError(f"the tag {tag!r} would be taken for a version number.", hint=f"Use v{tag}, for example.")
    return tag


def tag(
    vault: Vault, ref: str, name: str, *, remove: bool = False, tool: str, message: str | None = None
) -> MarkReport:
    """Give a version a name, or take it away. ConflictError where the tag names another version of the sample."""
    check_tag(name)

    def items() -> list[dict[str, Any]]:
        sample = refs.parse(ref).sample
        named = vault.state.tag(sample, name)
        if remove:
            if named is None:
                raise NotFoundError(f"{sample} has no tag {name!r}.")
            return [_item(sample, named, name, "tag", "remove")]
        version = refs.find(vault.state, ref)
        if named == version.version:
            return []
        if named is not None:
            raise ConflictError(
                f"the tag {name!r} names {sample}@{named} already.",
                hint=f"`sxeslake tag {sample}@{named} {name} --remove` removes it.",
            )
        return [_item(sample, version.version, name, "tag", "add")]

    return _Marking(vault, tool, message).commit(items)


def hold(vault: Vault, texts: Sequence[str], *, tool: str, message: str | None = None) -> MarkReport:
    """Keep versions from being forgotten: `name@2`, or all that a sample has now."""
    return _hold(vault, texts, "add", tool, message)


def release(vault: Vault, texts: Sequence[str], *, tool: str, message: str | None = None) -> MarkReport:
    """Take back a hold."""
    return _hold(vault, texts, "remove", tool, message)


def _hold(vault: Vault, texts: Sequence[str], action: Action, tool: str, message: str | None) -> MarkReport:
    def items() -> list[dict[str, Any]]:
        made = []
        for version in chosen(vault.state, texts):
            marks = vault.state.marks(version.sample).get(version.version, [])
            if any(kind == "hold" for kind, _ in marks) != (action == "add"):
                made.append(_item(version.sample, version.version, str(version.version), "hold", action))
        return made

    return _Marking(vault, tool, message).commit(items)


def _item(sample: str, version: int, name: str, kind: str, action: Action) -> dict[str, Any]:
    return {"sample": sample, "version": version, "tag": name, "action": action, "kind": kind}


class _Marking:
    """One commit of marks, decided again at every head."""

    def __init__(self, vault: Vault, tool: str, message: str | None) -> None:
        vault.sync()
        self._vault, self._blank = vault, blank_entry(tool, message)
        self._items: Sequence[Mapping[str, Any]] = ()

    def commit(self, items: Any) -> MarkReport:
        """Commit what `items` says at the head."""

        def build(head: Head) -> Entry | None:
            self._items = items()
            _LOG.info("%d marks to set or remove", len(self._items))
            if not self._items:
                return None
            return replace(self._blank, number=head.number + 1, previous=head.digest, tags=tuple(self._items))

        record = self._vault.commit(build)
        names = [f"{item['sample']}@{item['version']}" for item in self._items]
        return MarkReport(record.entry.number if record else None, names)

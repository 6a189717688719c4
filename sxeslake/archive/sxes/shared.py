"""Files that many positions share: conditions, raw conditions, backgrounds, each named by the SHA-256 of its bytes."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from sxeslake.archive.sxes import faces, layout
from sxeslake.archive.sxes.documents.fields import ConditionFields, read_condition
from sxeslake.archive.sxes.documents.text import Document, parse

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sxeslake.archive.sxes.group import Group


class Shared:
    """A file that many positions share. Read once, then kept: its name is the hash of its bytes."""

    kind: ClassVar[layout.SharedKind]

    def __init__(self, group: Group, digest: str, path: str) -> None:
        self._group = group
        self._raw: bytes | None = None
        self.id = digest
        self.path = path

    @property
    def group_name(self) -> str:
        """The name of the group that holds it."""
        return self._group.name

    @property
    def raw(self) -> bytes:
        """The file's exact bytes; a name that is not their SHA-256 is warned of."""
        if self._raw is None:
            self._raw = self._group.edited.read(self.path)
            if hashlib.sha256(self._raw).hexdigest() != self.id:
                self._group.warn(self.path, "its name is not the SHA-256 of its bytes")
        return self._raw


class SharedDocument(Shared):
    """A shared file that holds JSON."""

    def __init__(self, group: Group, digest: str, path: str) -> None:
        super().__init__(group, digest, path)
        self._document: Document | None = None

    @property
    def document(self) -> Document:
        """The JSON as it is."""
        if self._document is None:
            self._document = self._group.note(parse(self.path, self.raw, self._group.encoding))
        return self._document


class Condition(SharedDocument):
    """How the spectrometer and the camera were set.

    Examples
    --------
    >>> lake["map"].positions[0].condition.kind
    'conditions'
    """

    kind = layout.CONDITIONS

    def __repr__(self) -> str:
        return faces.condition_line(self)

    def _repr_html_(self) -> str:
        return faces.condition_html(self)

    @cached_property
    def fields(self) -> ConditionFields:
        """The typed fields."""
        return read_condition(self.document.value)


class RawCondition(SharedDocument):
    """The instrument's own words, usually empty.

    Examples
    --------
    >>> lake["map"].positions[0].raw_condition.kind
    'rawConditions'
    """

    kind = layout.RAW_CONDITIONS

    def __repr__(self) -> str:
        return faces.size_line(self)


class Background(Shared):
    """One dark frame of the camera.

    Examples
    --------
    >>> lake["map"].positions[0].background.array.shape
    (17, 2049)
    """

    kind = layout.BACKGROUNDS

    def __repr__(self) -> str:
        return faces.size_line(self)

    @property
    def array(self) -> NDArray[np.uint32]:
        """About one frame, uint32 (17, 2049)."""
        from sxeslake.archive.sxes import arrays  # noqa: PLC0415 - numpy costs start-up time: loaded when an array is asked for

        return arrays.background_array(self.raw, where=f"{self._group.name}: {self.path}")

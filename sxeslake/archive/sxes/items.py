"""What positions and images have in common: a folder with `info.json` and `state.json`, read when touched."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from sxeslake.archive.sxes import adding, faces, layout
from sxeslake.archive.sxes.documents.fields import InfoFields, StateFields, raw_condition_key, read_info, read_state
from sxeslake.archive.sxes.documents.text import Document, dump, parse
from sxeslake.archive.sxes.shared import Condition, RawCondition
from sxeslake.errors import InputError, MemberNotFoundError, UsageError

if TYPE_CHECKING:
    from sxeslake.archive.sxes.group import Group
    from sxeslake.archive.sxes.outline import Analysis

Origin = Literal["position", "image", "analysis", "project"]


class Resolved(NamedTuple):
    """A text and where it was found: `Resolved("A. Nonymous", "analysis")`; `("", None)` where nobody says.

    Attributes
    ----------
    value : str
        The text.
    origin : Origin or None
        Where it was found; None where nobody says.
    """

    value: str
    origin: Origin | None


class PositionBatch:
    """Positions (or maps) read side by side: what is asked of one is fetched for all at once, and handed out once."""

    def __init__(self, group: Group, folders: Sequence[str]) -> None:
        self._group = group
        self._folders = folders
        self._asked: set[str] = set()
        self._waiting: dict[str, tuple[int, bytes]] = {}

    def take(self, folder: str, name: str) -> bytes | None:
        """One member's bytes if they were fetched, are fresh, and were not taken before."""
        source = self._group.edited
        if name not in self._asked:
            self._asked.add(name)
            for path, data in source.read_many([each + name for each in self._folders]):
                self._waiting[path] = (source.stamp(path), data)
        stamp, found = self._waiting.pop(folder + name, (-1, None))
        return found if stamp == source.stamp(folder + name) else None


class Item:
    """What positions and images have in common: a folder with `info.json` and `state.json`."""

    root: ClassVar[layout.ItemRoot]
    _origin: ClassVar[Origin]

    def __init__(self, group: Group, uuid: str, batch: PositionBatch | None = None) -> None:
        self.group = group
        self.uuid = uuid
        self.folder = self.folder_of(uuid)
        self._batch = batch
        self._documents: dict[str, tuple[int, Document]] = {}

    def __repr__(self) -> str:
        return faces.position_line(self)

    @classmethod
    def folder_of(cls, uuid: str) -> str:
        """Where an item of this kind lies: `data/<uuid>/`.

        Parameters
        ----------
        uuid : str
            Its id.

        Returns
        -------
        str
            The folder, with a slash at its end.
        """
        return layout.item_folder(cls.root, uuid)

    @property
    def list_key(self) -> str:
        """The key of an analysis that lists items of this kind."""
        return layout.LIST_KEYS[self.root]

    @property
    def info_document(self) -> Document:
        """`info.json` as it is."""
        return self._document(layout.INFO)

    @property
    def state_document(self) -> Document:
        """`state.json` as it is."""
        return self._document(layout.STATE)

    @property
    def info(self) -> InfoFields:
        """`info.json`, typed; all None where it is missing or broken."""
        return read_info(self.info_document.value)

    @property
    def state(self) -> StateFields:
        """`state.json`, typed; all None where it is missing or broken."""
        return read_state(self.state_document.value)

    @property
    def condition(self) -> Condition | None:
        """The shared condition; None where info names none, or one that is not there."""
        return self.group.files.named(Condition, self.info.condition_id, self.folder)

    @property
    def raw_condition(self) -> RawCondition | None:
        """The shared raw condition, if any."""
        return self.group.files.named(RawCondition, self.info.raw_condition_id, self.folder)

    @property
    def analysis(self) -> Analysis | None:
        """The first analysis that lists this."""
        return self.group.owner(self.root, self.uuid)

    @property
    def comment(self) -> str:
        """The comment of info.json; settable."""
        return self.info.comment or ""

    @comment.setter
    def comment(self, value: str) -> None:
        self.edit_info(comment=value)

    @property
    def resolved_operator(self) -> Resolved:
        """Who measured: the position's own operator, else the analysis's, else the project's."""
        return self._resolve("operator")

    @property
    def resolved_comment(self) -> Resolved:
        """The comment nearest to the position: its own, else the analysis's, else the project's."""
        return self._resolve("comment")

    @property
    def members(self) -> dict[str, int]:
        """Names of all files in the folder, and their sizes in bytes."""
        entries = self.group.edited.children(self.folder)
        return {entry.path[len(self.folder) :]: entry.size for entry in entries if entry.kind == "file"}

    def read(self, name: str) -> bytes:
        """Read a file of the folder.

        Parameters
        ----------
        name : str
            The file's name, ``state.json``.

        Returns
        -------
        bytes
            Exactly as stored.

        Raises
        ------
        MemberNotFoundError
            If there is no such file.
        """
        found = self._batch.take(self.folder, name) if self._batch else None
        return self.group.edited.read(self.folder + name) if found is None else found

    def write(self, name: str, data: bytes) -> None:
        """Add or replace a file of the folder.

        Parameters
        ----------
        name : str
            The file's name.
        data : bytes
            Its content.

        Raises
        ------
        UsageError
            If the name is no file's of this folder.
        """
        self.group.require_writable()
        if not name or name.startswith("/") or ".." in name.split("/") or "\\" in name or "\0" in name:
            raise UsageError(f"not a member name: {name!r}", where=self.folder)
        self.group.edited.write(self.folder + name, data)

    def edit_info(self, **changes: object) -> None:
        """Set fields of `info.json`; all others stay. `position.edit_info(comment="repolished")`.

        Parameters
        ----------
        **changes
            Fields and their new values.
        """
        self.group.require_writable()
        fields = self._editable(self.info_document)
        before = self.info
        self._rewrite(layout.INFO, {**fields, **changes})
        after = self.info
        self.group.files.suspect(
            {before.condition_id, before.raw_condition_id, before.background_id}
            - {after.condition_id, after.raw_condition_id, after.background_id}
        )

    def edit_state(self, **changes: object) -> None:
        """Set top-level fields of `state.json`; all others stay.

        Parameters
        ----------
        **changes
            Fields and their new values.
        """
        self.group.require_writable()
        self._rewrite(layout.STATE, {**self._editable(self.state_document), **changes})

    def set_condition(self, condition: Mapping[str, object] | bytes | str) -> None:
        """Point to a condition: its JSON, exact bytes, or the id of one that the group has.

        Parameters
        ----------
        condition : mapping, bytes or str
            Its JSON, exact bytes, or the id of one that the group has.
        """
        self.edit_info(conditionUuid=adding.shared_id(self.group, Condition, condition))

    def set_raw_condition(self, raw_condition: Mapping[str, object] | bytes | str) -> None:
        """Point to a raw condition: its JSON, exact bytes, or the id of one that the group has.

        Parameters
        ----------
        raw_condition : mapping, bytes or str
            Its JSON, exact bytes, or the id of one that the group has.
        """
        digest = adding.shared_id(self.group, RawCondition, raw_condition)
        self.edit_info(**{raw_condition_key(self.info_document.value): digest})

    def _document(self, name: str) -> Document:
        path = self.folder + name
        stamp = self.group.edited.stamp(path)
        cached = self._documents.get(name)
        if cached is None or cached[0] != stamp:
            try:
                document = parse(path, self.read(name), self.group.encoding)
            except MemberNotFoundError:
                document = Document(path, b"", None, "utf-8", "missing")
            self._documents[name] = cached = (stamp, self.group.note(document))
        return cached[1]

    def _editable(self, document: Document) -> dict[str, object]:
        if document.raw and (document.encoding is None or not isinstance(document.value, dict)):
            raise InputError(
                f"{document.problem}; a change would lose its bytes", where=f"{self.group.name}: {document.path}"
            )
        return copy.deepcopy(document.fields)

    def _rewrite(self, name: str, fields: Mapping[str, object]) -> None:
        self.write(name, dump(fields, self._document(name).encoding))

    def _resolve(self, field: Literal["operator", "comment"]) -> Resolved:
        own = getattr(self.info, field)
        if own:
            return Resolved(own, self._origin)
        analysis = self.analysis
        if analysis is not None:
            if value := getattr(analysis, field):
                return Resolved(value, "analysis")
            for project in self.group.projects_of(analysis):
                if value := getattr(project, field):
                    return Resolved(value, "project")
        return Resolved("", None)

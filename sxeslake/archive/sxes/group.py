"""The sxes group: projects, analyses, positions, images and the files they share, from any source of members."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from sxeslake.archive.container import DEFAULT_LEVEL, open_container
from sxeslake.archive.sxes import adding, faces, layout, opening, saving, transfer
from sxeslake.archive.sxes.documents.fields import version_of
from sxeslake.archive.sxes.documents.text import Document, GroupWarning, check_encoding, dump, parse
from sxeslake.archive.sxes.extensions import attached, orphans, stated
from sxeslake.archive.sxes.extensions.attached import AttachedFiles, FreeDocument, HashedDocument, VendorSource
from sxeslake.archive.sxes.extensions.map_index import MapIndex
from sxeslake.archive.sxes.extensions.maps import Map, check_map
from sxeslake.archive.sxes.extensions.originals import FilePart, OriginalFile
from sxeslake.archive.sxes.extensions.stated import Extension, newer_than_known
from sxeslake.archive.sxes.items import Item
from sxeslake.archive.sxes.outline import Analysis, Items, MetadataEntry, Project
from sxeslake.archive.sxes.position import Image, Position
from sxeslake.archive.sxes.shared import Background, Condition, RawCondition
from sxeslake.archive.sxes.shared_files import SharedFiles
from sxeslake.archive.sxes.source import ContainerSource, EditedSource, MemberSource
from sxeslake.archive.sxes.unread import ListsPositions, UnreadUuids
from sxeslake.closing import Closing
from sxeslake.errors import (
    DamagedArchiveError,
    InputError,
    ReadOnlyError,
    UsageError,
)
from sxeslake.model import Limits

if TYPE_CHECKING:
    from sxeslake.archive.sxes.axes import Calibrations

EntryT = TypeVar("EntryT", bound=MetadataEntry)
CopyT = TypeVar("CopyT", bound=Project | Analysis | Map | Item)

_ABOUT = ((Position, "position"), (Image, "image"), (Map, "map"), (Analysis, "analysis"), (Project, "project"))


def open_group(
    source: str | Path | MemberSource, *, encoding: str | None = None, limits: Limits | None = None
) -> Group:
    """Open a `.plzip`, a `.pl7z`, an unpacked folder, or any MemberSource. Reads `metadata.json`, at most.

    Parameters
    ----------
    source
        A file or folder, or anything that lists and reads members.
    encoding
        Of names and JSON that are not UTF-8: `cp932`, `cp437`.
    limits
        What the archive may hold before it counts as a bomb.

    Returns
    -------
    Group
        Close it, or use it in a `with`, to close the file.

    Raises
    ------
    InputError
        Where the archive cannot be read (NotAnArchiveError, DamagedArchiveError and their like), or holds no
        `metadata.json`.

    Examples
    --------
    >>> import sxeslake
    >>> with sxeslake.open_group("map.plzip") as group:
    ...     print(group)
    <Group map.plzip: 1 analysis, 12 positions>
    """
    if not isinstance(source, str | Path):
        return Group(source, name=source.name, encoding=encoding)
    path = Path(source)
    container = open_container(path, encoding=encoding, limits=limits)
    try:
        return Group(
            ContainerSource(container, path.name),
            name=path.name,
            path=path,
            encoding=encoding,
            limits=limits,
            on_close=container.close,
        )
    except BaseException:
        container.close()
        raise


def create_group(name: str = "new group") -> Group:
    """An empty group in memory; `save` it as `.plzip`, `.pl7z` or a folder.

    Parameters
    ----------
    name
        What messages call it.

    Returns
    -------
    Group
        Without projects, analyses and positions.

    Examples
    --------
    >>> import sxeslake
    >>> group = sxeslake.create_group()
    >>> group.add_project("steel").add_analysis("carbides", operator="B. Smith")
    <Analysis "carbides" of new group: 0 positions>
    """
    return Group(None, name=name)


class Group(Closing):
    """An sxes group. Everything is read when touched; changes are held until `save`.

    Attributes
    ----------
    name
        What messages call it, usually the file's name.
    encoding
        Of JSON that is not UTF-8; None where none was given.
    calibrations
        Called for the calibrations that precede the built-in axis; a lake puts those of its registry here.

    Examples
    --------
    >>> import sxeslake
    >>> group = sxeslake.open_group("map.plzip")
    >>> [position.info.position_number for position in group.positions[:3]]
    [1, 2, 3]
    >>> group.positions[0].signal.shape
    (16, 2048)
    >>> group.close()
    """

    def __init__(
        self,
        source: MemberSource | None,
        *,
        name: str,
        path: Path | None = None,
        encoding: str | None = None,
        limits: Limits | None = None,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self.name = name
        self.encoding = check_encoding(encoding)
        self.calibrations: Calibrations = tuple
        self.path = path
        self._limits = limits
        self._on_close = on_close
        self._warnings: dict[GroupWarning, None] = {}
        self._base = source
        self.edited = EditedSource(source, name)
        self._touched = source is None
        self._count = source.count_positions() if isinstance(source, ListsPositions) else None
        if self._count is None:
            _ = self._fields
        self._read_anew()
        self._by_uuid: dict[str, Analysis] | None = None
        self._owned: dict[str, dict[str, list[Analysis]]] = {}
        self._uuids: dict[str, tuple[str, ...]] = {}

    def __repr__(self) -> str:
        return faces.group_line(self)

    def _repr_html_(self) -> str:
        return faces.group_html(self)

    # What it holds

    @property
    def version(self) -> str | None:
        """The format version it states, `0.1.0`; None where it states none."""
        return version_of(self._fields)

    @property
    def read_only(self) -> bool:
        """Whether changes are refused, because the version or a required extension is newer than this software."""
        return newer_than_known(self._fields) is not None

    @property
    def warnings(self) -> tuple[GroupWarning, ...]:
        """What was found odd in the members read so far; `check` reads them all."""
        return tuple(self._warnings)

    @property
    def metadata(self) -> Document:
        """`metadata.json` as it is, changes included."""
        return parse(layout.METADATA, self.source.read(layout.METADATA), self.encoding)

    @property
    def projects(self) -> tuple[Project, ...]:
        """All projects, in file order."""
        return tuple(Project(self, fields) for fields in self._entries("projects"))

    @property
    def analyses(self) -> tuple[Analysis, ...]:
        """All analyses, in file order."""
        return tuple(Analysis(self, fields) for fields in self._entries("analyses"))

    @property
    def positions(self) -> Items[Position]:
        """All positions that an analysis lists, in the order listed."""
        if self._count is not None and "_metadata" not in self.__dict__ and isinstance(self._base, ListsPositions):
            return Items(
                self, Position, UnreadUuids(self._base, self._count, lambda: opening.first_list(self._metadata))
            )
        return Items(self, Position, self._listed(layout.DATA))

    @property
    def images(self) -> Items[Image]:
        """All images that an analysis lists, in the order listed."""
        return Items(self, Image, self._listed(layout.IMAGES))

    @property
    def unlisted_positions(self) -> Items[Position]:
        """Positions whose folder is there but that no analysis lists. Lists the whole archive."""
        return Items(self, Position, self._unlisted(layout.DATA))

    @property
    def unlisted_images(self) -> Items[Image]:
        """Images whose folder is there but that no analysis lists."""
        return Items(self, Image, self._unlisted(layout.IMAGES))

    @property
    def conditions(self) -> Mapping[str, Condition]:
        """All conditions by id."""
        self._settle()
        return self.files.all(Condition)

    @property
    def raw_conditions(self) -> Mapping[str, RawCondition]:
        """All raw conditions by id."""
        self._settle()
        return self.files.all(RawCondition)

    @property
    def backgrounds(self) -> Mapping[str, Background]:
        """All backgrounds by id."""
        self._settle()
        return self.files.all(Background)

    @property
    def extensions(self) -> Mapping[str, int]:
        """Name and version of each extension of the format that `metadata.json` states, `{"maps": 1}`."""
        return stated.read_extensions(self._fields)

    @property
    def maps(self) -> tuple[Map, ...]:
        """All maps, sorted by id, also those that belong to no analysis. Their JSON is read when it is asked for."""
        return self.map_index.all()

    @property
    def documents(self) -> Mapping[str, FreeDocument]:
        """All documents by id, older versions too."""
        self._settle()
        return self.attached.all(FreeDocument)

    @property
    def sources(self) -> Mapping[str, VendorSource]:
        """All sources by id: what gives a vendor's files back."""
        self._settle()
        return self.attached.all(VendorSource)

    @property
    def source(self) -> MemberSource:
        """The group's members as they would be saved."""
        self._settle()
        return self.edited

    def analysis(self, uuid: str) -> Analysis | None:
        """The analysis of that uuid, if there.

        Parameters
        ----------
        uuid : str
            Its id.

        Returns
        -------
        Analysis or None
            None where there is none.
        """
        if self._by_uuid is None:
            self._by_uuid = {analysis.uuid: analysis for analysis in reversed(self.analyses)}
        return self._by_uuid.get(uuid)

    def map(self, uuid: str) -> Map | None:
        """A map by its UUID.

        Parameters
        ----------
        uuid : str
            Its UUID.

        Returns
        -------
        Map or None
            None where the group has no such map.
        """
        return self.map_index.find(uuid)

    def projects_of(self, analysis: Analysis) -> tuple[Project, ...]:
        """The projects that list an analysis.

        Parameters
        ----------
        analysis : Analysis
            The analysis.

        Returns
        -------
        tuple of Project
            In their order.
        """
        return tuple(project for project in self.projects if analysis.uuid in project.listed(project.list_key))

    def owner(self, root: layout.ItemRoot, uuid: str) -> Analysis | None:
        """The first analysis that lists a position or an image.

        Parameters
        ----------
        root : str
            The folder of its kind.
        uuid : str
            Its id.

        Returns
        -------
        Analysis or None
            None where none lists it.
        """
        owners = self._owners(root).get(uuid)
        return owners[0] if owners else None

    def check(self) -> tuple[GroupWarning, ...]:
        """Read every JSON member and every shared file; return all warnings.

        Returns
        -------
        tuple of GroupWarning
            Path and problem; empty where all is well.
        """
        items: tuple[Iterable[Item], ...] = (
            self.positions, self.images, self.unlisted_positions, self.unlisted_images
        )  # fmt: skip
        for items_of_a_kind in items:
            for item in items_of_a_kind:
                transfer.check_item(item)
        documents = (*self.conditions.values(), *self.raw_conditions.values())
        for shared in documents:
            _ = shared.document
        for background in self.backgrounds.values():
            _ = background.raw
        for each in self.maps:
            check_map(each)
        for hashed in (*self.documents.values(), *self.sources.values()):
            attached.check_attached(hashed)
        return self.warnings

    # Changing it

    def add_project(self, name: str, *, comment: str = "", operator: str = "", uuid: str | None = None) -> Project:
        """Add a project without analyses.

        Parameters
        ----------
        name, comment, operator : str
            As people call it, what they say of it, who made it.
        uuid : str, optional
            Its id; a new one by default.

        Returns
        -------
        Project
            To add analyses to.
        """
        return adding.add_project(self, {"name": name, "comment": comment, "operator": operator}, uuid)

    def add_condition(self, condition: Mapping[str, object] | bytes) -> str:
        """Add a condition.

        Parameters
        ----------
        condition : mapping or bytes
            Its JSON, or exact bytes.

        Returns
        -------
        str
            Its id, made from its content.
        """
        return self.files.add(Condition, condition)

    def add_document(
        self,
        data: Any,
        *,
        schema: str,
        about: Iterable[Project | Analysis | Map | Item] = (),
        supersedes: FreeDocument | str | None = None,
        by: str = "",
        created_at: datetime | str | None = None,
    ) -> FreeDocument:
        """Add a document of any content, or a newer version of one.

        Parameters
        ----------
        data
            Anything that JSON can hold.
        schema : str
            What it is, ``"sxeslake/quant/1"``: the name of an agreement among programs.
        about : iterable
            Projects, analyses, maps, positions and images of the group; nothing where it is about the group.
        supersedes : FreeDocument or str, optional
            The document, or its id, that this is a newer version of. It stays.
        by : str
            Who or what made it.
        created_at : datetime or str, optional
            When it was made; by default now, in UTC.

        Returns
        -------
        FreeDocument

        Raises
        ------
        MemberNotFoundError
            If there is no document that it could supersede.
        UsageError
            If the data are no JSON.

        Examples
        --------
        >>> group = sxeslake.create_group()
        >>> made = group.add_document({"Fe": 30.4, "S": 34.9}, schema="sxeslake/quant/1", by="A. Miner")
        >>> group.documents[made.id].data["S"]
        34.9
        """
        things = ((next(what for kind, what in _ABOUT if isinstance(each, kind)), each.uuid) for each in about)
        return attached.add_document(
            self, data, schema=schema, about=things, supersedes=supersedes, by=by, created_at=created_at
        )

    def add_source(
        self,
        root: str,
        files: Iterable[tuple[str | OriginalFile, Sequence[bytes | FilePart]]],
        *,
        tool: str | None = None,
    ) -> VendorSource:
        """Say of what members a vendor's files are made, so that they can be rebuilt byte for byte.

        Parameters
        ----------
        root : str
            The folder's own name, ``"Ti_0001_QLW"``.
        files : iterable of (str or OriginalFile, list of bytes or FilePart)
            Path of each file below the root, and its pieces in order: a run of a member's bytes, or bytes that no
            member has, which are kept as residue. An `OriginalFile` also has the time of change; its size and
            SHA-256, where it has one, are compared with what the pieces give.
        tool : str, optional
            What wrote it.

        Returns
        -------
        VendorSource

        Raises
        ------
        MemberNotFoundError, DamagedArchiveError
            If a member is not there, or too short.
        UnsafeNameError
            If a path leaves the folder, or two files have one.
        UsageError
            If the pieces do not give the file back.

        Examples
        --------
        >>> from sxeslake.archive import FilePart
        >>> group = sxeslake.create_group()
        >>> analysis = group.add_project("p").add_analysis("Ti")
        >>> position = analysis.add_position(condition={}, state={}, arrays={"qlw": [1.0, 2.0]})
        >>> pieces = [b"header", FilePart(position.folder + "qlw.data", 16), b"end"]
        >>> source = group.add_source("Ti_0001_QLW", [("Pos_0001/1.qlw", pieces)])
        >>> [(path, data[:6], len(data)) for path, data in source.rebuild()]
        [('Pos_0001/1.qlw', b'header', 25)]
        """
        return attached.add_source(self, root, files, tool=tool)

    def copy(self, what: CopyT, into: Project | Analysis | None = None) -> CopyT:
        """Copy a project, an analysis (into a project), a position, an image or a map (into an analysis), of any group.

        Conditions, raw conditions and backgrounds come along, shared by hash; with an analysis its maps; from another
        group also documents about what is copied, and sources that can be rebuilt from it; with a project also those
        of the group as a whole. Ids stay where they are free. Large members are read when this group is saved: keep the
        other group open until then.

        Parameters
        ----------
        what : Project, Analysis, Map, Position or Image
            Of this group, or of another.
        into : Project or Analysis, optional
            Where an analysis, or a position, image or map, goes.

        Returns
        -------
        Project, Analysis, Map, Position or Image
            The copy.
        """
        return cast(CopyT, transfer.copy(self, what, into))

    def remove(self, what: Project | Analysis | Map | Item | HashedDocument) -> None:
        """Remove a project, an analysis, a map, a position, an image, a document or a source.

        What nothing else lists or needs goes too: of an analysis its maps; documents that are about nothing else;
        sources that cannot be rebuilt any more.

        Parameters
        ----------
        what : Project, Analysis, Map, Position, Image, FreeDocument or VendorSource
            What is removed.
        """
        transfer.remove(self, what)

    def save(
        self,
        path: str | Path | None = None,
        *,
        container: Literal["zip", "7z", "folder"] | None = None,
        level: int = DEFAULT_LEVEL,
        overwrite: bool = False,
    ) -> Path:
        """Write the group, whole or not at all; then read on from what was written.

        Parameters
        ----------
        path : path, optional
            The suffix says the container: ``.plzip``, ``.zip``, ``.pl7z``, ``.7z``; none is a folder. By default the
            file that it came from.
        container : {"zip", "7z", "folder"}, optional
            By default as the suffix says.
        level : int
            Of the compression: 0 copies, 1 to 3 are fast, 9 is smallest.
        overwrite : bool
            Replace another file.

        Returns
        -------
        Path
            Where it is now.

        Raises
        ------
        AlreadyExistsError
            If another file is there, without `overwrite`.
        UsageError
            If no path is known, or the suffix cannot be written.
        StorageError
            If it cannot be written.
        """
        target = Path(path) if path is not None else self.path
        if target is None:
            raise UsageError("this group has no file yet", where=self.name, hint="Say save(path).")
        own = self.path is not None and target.exists() and self.path.exists() and target.samefile(self.path)
        kind = saving.container_of(target, container)
        saving.refuse_existing(target, overwrite=overwrite or own)
        comment = self._base.container.comment if isinstance(self._base, ContainerSource) else b""
        is_closed = False
        try:
            with saving.written(self.source, target, kind, level=level, comment=comment):
                if own:
                    is_closed = True
                    self._close_base()  # Windows cannot replace an open file
        except BaseException:
            if is_closed:
                self.edited.rebase(self._open_base(target))
            raise
        self._close_base()
        old, self.path, self.name = self.edited, target, target.name
        self.edited = old.successor(self._open_base(target))
        old.close()
        self._read_anew()
        self.forget_outline()
        return target

    def close(self) -> None:
        """Close the archive; unsaved changes are gone."""
        self.edited.close()
        self._close_base()

    # What items, entries and transfers ask of it

    def require_writable(self) -> None:
        """Refuse a change to a group that this software would not write rightly.

        Raises
        ------
        ReadOnlyError
            If the group has a newer format.
        InputError
            If it is damaged.
        """
        newer = newer_than_known(self._fields)
        if newer is not None:
            raise ReadOnlyError(
                newer,
                where=self.name,
                hint="It can be read and stored, not changed; a newer sxeslake may write it.",
            )
        if self._metadata.encoding is None or not isinstance(self._metadata.value, dict):
            raise InputError(
                f"{self._metadata.problem}; a change would lose its bytes", where=f"{self.name}: {layout.METADATA}"
            )

    def warn(self, path: str, problem: str) -> None:
        """Remember something odd, once.

        Parameters
        ----------
        path : str
            The member.
        problem : str
            What is odd about it.
        """
        self._warnings.setdefault(GroupWarning(path, problem))

    def note(self, document: Document) -> Document:
        """Remember a document's problem, if any.

        Parameters
        ----------
        document : Document
            A JSON member.

        Returns
        -------
        Document
            The same.
        """
        if document.problem:
            self.warn(document.path, document.problem)
        return document

    def touch(self) -> None:
        """Say that `metadata.json` has changed."""
        self._touched = True

    def state_extension(self, extension: Extension) -> None:
        """State in `metadata.json` that an extension of the format is used.

        Parameters
        ----------
        extension : {"maps", "arrays", "documents", "sources"}
            Its name.
        """
        if stated.state(self._fields, extension):
            self.touch()

    def append_project(self, fields: dict[str, object]) -> Project:
        """Put a new entry among the projects.

        Parameters
        ----------
        fields : dict
            The entry, with its uuid.

        Returns
        -------
        Project
            The new one.
        """
        return self._append("projects", Project, fields)

    def append_analysis(self, fields: dict[str, object]) -> Analysis:
        """Put a new entry among the analyses.

        Parameters
        ----------
        fields : dict
            The entry, with its uuid.

        Returns
        -------
        Analysis
            The new one.
        """
        analysis = self._append("analyses", Analysis, fields)
        self.forget_outline()
        return analysis

    def drop_entry(self, entry: MetadataEntry) -> None:
        """Take an entry out of `metadata.json`.

        Parameters
        ----------
        entry : Project or Analysis
            The entry.
        """
        for key in ("projects", "analyses"):
            entries = self._fields.get(key)
            if isinstance(entries, list):
                entries[:] = [fields for fields in entries if fields is not entry.fields]
        self.touch()
        self.forget_outline()

    def enlist_item(self, analysis: Analysis, item: Item) -> None:
        """List a new position or image in an analysis.

        Parameters
        ----------
        analysis : Analysis
            Where it is listed.
        item : Position or Image
            What is listed.
        """
        owners = self._owners(item.root)
        analysis.enlist(item.list_key, item.uuid)
        owners.setdefault(item.uuid, []).append(analysis)
        self._uuids.pop(item.root, None)

    def forget_outline(self) -> None:
        """Drop what was derived from the outline; it is derived again when asked for."""
        self._by_uuid = None
        self._owned.clear()
        self._uuids.clear()

    def takes(self, uuid: str) -> bool:
        """Whether an id is taken by anything in the group.

        Parameters
        ----------
        uuid : str
            An id.

        Returns
        -------
        bool
            True where it is taken.
        """
        return (
            any(uuid in self._owners(root) for root in (layout.DATA, layout.IMAGES))
            or self.analysis(uuid) is not None
            or any(project.uuid == uuid for project in self.projects)
            or any(self.edited.children(layout.item_folder(root, uuid)) for root in (layout.DATA, layout.IMAGES))
        )

    @cached_property
    def _metadata(self) -> Document:
        return opening.read_metadata(self, self._base)

    @cached_property
    def _fields(self) -> dict[str, object]:
        return self._metadata.fields

    def _entries(self, key: str) -> Iterable[dict[str, object]]:
        entries = self._fields.get(key)
        return [fields for fields in entries if isinstance(fields, dict)] if isinstance(entries, list) else ()

    def _append(self, key: str, kind: type[EntryT], fields: dict[str, object]) -> EntryT:
        self.require_writable()
        entries = self._fields.setdefault(key, [])
        if not isinstance(entries, list):
            raise DamagedArchiveError(f"{key} is not a list", where=f"{self.name}: {layout.METADATA}")
        entries.append(fields)
        self.touch()
        return kind(self, fields)

    def _owners(self, root: layout.ItemRoot) -> dict[str, list[Analysis]]:
        if root not in self._owned:
            owned: dict[str, list[Analysis]] = {}
            for analysis in self.analyses:
                for uuid in analysis.listed(layout.LIST_KEYS[root]):
                    owned.setdefault(uuid, []).append(analysis)
            self._owned[root] = owned
        return self._owned[root]

    def _listed(self, root: layout.ItemRoot) -> tuple[str, ...]:
        if root not in self._uuids:
            self._uuids[root] = tuple(self._owners(root))
        return self._uuids[root]

    def _unlisted(self, root: layout.ItemRoot) -> tuple[str, ...]:
        found = dict.fromkeys(
            member.path.split("/", 2)[1] for member in self.edited.children(f"{root}/") if member.path.count("/") >= 2
        )
        return tuple(uuid for uuid in found if uuid not in self._owners(root))

    def _settle(self) -> None:
        """Bring the members up to date: prune what nothing needs, write `metadata.json` if it changed."""
        orphans.prune(self)
        self.files.prune()
        if self._touched:
            self.edited.write(layout.METADATA, dump(self._fields, self._metadata.encoding))
            self._touched = False

    def _read_anew(self) -> None:
        self.files = SharedFiles(self)
        self.map_index = MapIndex(self)
        self.attached = AttachedFiles(self)

    def _open_base(self, path: Path) -> MemberSource:
        container = open_container(path, encoding=self.encoding, limits=self._limits)
        self._on_close = container.close
        self._base = ContainerSource(container, path.name)
        return self._base

    def _close_base(self) -> None:
        if self._on_close is not None:
            self._on_close()
            self._on_close = None

"""What a group has by hash beside its shared files: free documents, and sources that rebuild a vendor's files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, cast

from sxeslake.archive.sxes import faces, layout
from sxeslake.archive.sxes.documents.text import Document, dump, parse
from sxeslake.archive.sxes.documents.units import integer, text
from sxeslake.archive.sxes.extensions import carried, originals
from sxeslake.archive.sxes.extensions.originals import FilePart, OriginalFile, OriginalsRecipe
from sxeslake.archive.sxes.extensions.stated import Extension
from sxeslake.errors import DamagedArchiveError, InputError, MemberNotFoundError, UsageError
from sxeslake.model import MIB

if TYPE_CHECKING:
    from sxeslake.archive.sxes.group import Group

_BATCH_BYTES: Final = 16 * MIB  # rebuilt side by side: few requests, little memory
_BATCH_FILES: Final = 256
_MOST_REPEATED: Final = 4  # how many times larger than its members a large file may be: no more memory than that


class HashedDocument:
    """A JSON member whose name is the SHA-256 of its bytes; it never changes."""

    kind: ClassVar[layout.HashedKind]
    extension: ClassVar[Extension]

    def __init__(self, group: Group, digest: str) -> None:
        self.group = group
        self.id = digest
        self.path = layout.hashed_path(self.kind, digest)

    def __repr__(self) -> str:
        return faces.attached_line(self)

    @property
    def raw(self) -> bytes:
        """The exact bytes; a name that is not their SHA-256 is warned of."""
        return self.document.raw

    @cached_property
    def document(self) -> Document:
        """The JSON as it is."""
        raw = self.group.edited.read(self.path)
        if hashlib.sha256(raw).hexdigest() != self.id:
            self.group.warn(self.path, "its name is not the SHA-256 of its bytes")
        return self.group.note(parse(self.path, raw, self.group.encoding))


class FreeDocument(HashedDocument):
    """A document of any content: a quantitative result, a report, a correction.

    It never changes: a newer version is a document of its own that supersedes it.

    Examples
    --------
    >>> from sxeslake.archive import create_group
    >>> group = create_group()
    >>> analysis = group.add_project("p").add_analysis("glass")
    >>> first = group.add_document({"SiO2": 71.2}, schema="sxeslake/quant/1", about=[analysis], by="A. Miner")
    >>> second = group.add_document({"SiO2": 71.9}, schema="sxeslake/quant/1", about=[analysis], supersedes=first)
    >>> second.version, second.supersedes == first.id, second.data
    (2, True, {'SiO2': 71.9})
    """

    kind = layout.DOCUMENTS
    extension = "documents"

    @property
    def schema(self) -> str:
        """What its data are, `sxeslake/quant/1`."""
        return text(self.document.fields.get("schema")) or ""

    @property
    def version(self) -> int:
        """From 1."""
        return integer(self.document.fields.get("version")) or 1

    @property
    def supersedes(self) -> str | None:
        """The id of the document that it is a newer version of."""
        return text(self.document.fields.get("supersedes"))

    @property
    def about(self) -> tuple[tuple[str, str], ...]:
        """What it is about, `("map", "<uuid>")`; empty where it is about the group."""
        return tuple(carried.about_of(self.document.value))

    @property
    def created_at(self) -> str | None:
        """When it was made, as it says."""
        return text(self.document.fields.get("createdAt"))

    @property
    def by(self) -> str | None:
        """Who or what made it."""
        return text(self.document.fields.get("by"))

    @property
    def data(self) -> Any:
        """Its content, as JSON."""
        return self.document.fields.get("data")


class VendorSource(HashedDocument):
    """A folder of a vendor's files that the group can give back byte for byte.

    Examples
    --------
    >>> from sxeslake.archive import create_group
    >>> group = create_group()
    >>> source = group.add_source("Ti_0001_QLW", [("MAP.cnd", [b"$XM_CP_PROJECT_NAME p"])])
    >>> source.root, [(path, len(data)) for path, data in source.rebuild()]
    ('Ti_0001_QLW', [('MAP.cnd', 21)])
    """

    kind = layout.SOURCES
    extension = "sources"

    @cached_property
    def recipe(self) -> OriginalsRecipe:
        """The files and what they are made of. Raises DamagedArchiveError, UnsafeNameError."""
        return originals.read_recipe(self.document.value, where=f"{self.group.name}: {self.path}")

    @property
    def root(self) -> str:
        """The folder's own name."""
        return text(self.document.fields.get("root")) or ""

    @property
    def files(self) -> tuple[OriginalFile, ...]:
        """The vendor's files. Raises as `recipe` does."""
        return self.recipe.files

    @property
    def missing(self) -> set[str]:
        """Members that it is made of and that are not there. Raises as `recipe` does."""
        return {member for member in self.recipe.members if not self.group.edited.has(member)}

    def rebuild(self) -> Iterator[tuple[str, bytes]]:
        """The vendor's files, one after the other.

        Yields
        ------
        path : str
            Below the root, safe as a name.
        data : bytes
            The file's exact bytes, proved by their SHA-256.

        Raises
        ------
        DamagedArchiveError
            If the SHA-256 of a file is not the recorded one, or a member is shorter than it was.
        MemberNotFoundError
            If a member that it is made of is not there.
        """
        sizes = self.check_members()
        for batch in _batches(self.files, sizes):
            wanted = list(dict.fromkeys(part.member for file in batch for part in file.parts))
            contents = dict(self.group.edited.read_many(wanted))
            for file in batch:
                yield file.path, self._proved(file, contents)

    def check_members(self) -> dict[str, int]:
        """Look whether every member is there and long enough, without reading any.

        Returns
        -------
        dict of str to int
            The size of each member that the files are made of, in bytes.

        Raises
        ------
        MemberNotFoundError
            If a member is missing.
        DamagedArchiveError
            If a member is shorter than a file needs, or the recipe cannot be read.
        """
        where = f"{self.group.name}: {self.path}"
        sizes: dict[str, int] = {}
        for file in self.files:
            for part in file.parts:
                if part.member not in sizes:
                    sizes[part.member] = self._size_of(part.member)
                end, there = part.offset + part.length, sizes[part.member]
                if end > there:
                    raise DamagedArchiveError(
                        f"{part.member} has {there:,} bytes, and {file.path} needs {end:,} of it", where=where
                    )
            held = sum(sizes[member] for member in {part.member for part in file.parts})
            if file.size > max(_BATCH_BYTES, _MOST_REPEATED * held):
                raise DamagedArchiveError(f"{file.path} is {file.size:,} bytes made of {held:,}", where=where)
        return sizes

    def _size_of(self, member: str) -> int:
        there = self.group.edited.children(member)
        size = next((each.size for each in there if each.path == member and each.kind == "file"), None)
        if size is None:
            raise MemberNotFoundError(
                f"{member} is not there, so that {self.root or self.id} cannot be rebuilt", where=self.group.name
            )
        return size

    def _proved(self, file: OriginalFile, contents: Mapping[str, bytes]) -> bytes:
        where = f"{self.group.name}: {self.path}"
        data = originals.taken_from(file.parts, contents, where)
        if hashlib.sha256(data).hexdigest() != file.sha256:
            raise DamagedArchiveError(
                f"{file.path} is not rebuilt with the SHA-256 that it had", where=where,
                hint="One of the members that it is made of was changed.",
            )  # fmt: skip
        return data


HashedT = TypeVar("HashedT", bound=HashedDocument)


class AttachedFiles:
    """Documents, sources and residue of one group; each document is read once."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._known: dict[str, HashedDocument] = {}
        self._listed: dict[layout.HashedKind, tuple[int, list[str]]] = {}
        self.gone: set[tuple[str, str]] = set()

    def all(self, kind: type[HashedT]) -> dict[str, HashedT]:
        """All of a kind, by id."""
        clock = self._group.edited.clock
        if self._listed.get(kind.kind, (-1, []))[0] != clock:
            members = self._group.edited.children(f"{kind.kind}/")
            digests = (layout.shared_digest(each.path) for each in members if each.path.endswith(".json"))
            self._listed[kind.kind] = clock, [digest for digest in digests if layout.is_hash(digest)]
        return {digest: self._of(kind, digest) for digest in self._listed[kind.kind][1]}

    def put(self, kind: type[HashedT], raw: bytes) -> HashedT:
        """Add exact bytes under their hash, unless they are there."""
        digest = hashlib.sha256(raw).hexdigest()
        self._group.state_extension(kind.extension)
        path = layout.hashed_path(kind.kind, digest)
        if not self._group.edited.has(path):
            self._group.edited.write(path, raw)
        return self._of(kind, digest)

    def remove(self, gone: HashedDocument) -> None:
        """Remove a document or a source; of a source also the residue that no other one needs."""
        residues = _residues(gone)
        self._group.edited.remove(gone.path)
        self._known.pop(gone.path, None)
        if not residues:
            return
        for other in self.all(VendorSource).values():
            needed = _residues(other)
            if needed is None:  # nobody knows what it is made of
                return
            residues -= needed
        for path in residues:
            self._group.edited.remove(path)

    def suspect(self, gone: Iterable[tuple[str, str]]) -> None:
        """Say that things went, `("position", "<uuid>")`: what is about them is looked into before the next save."""
        self.gone.update(gone)

    def _of(self, kind: type[HashedT], digest: str) -> HashedT:
        path = layout.hashed_path(kind.kind, digest)
        if path not in self._known:
            self._known[path] = kind(self._group, digest)
        return cast(HashedT, self._known[path])


def _residues(each: HashedDocument) -> set[str] | None:
    """The residue of a source that is there; None where the source cannot be read."""
    try:
        found = each.recipe.residues if isinstance(each, VendorSource) else set()
    except InputError:
        return None
    return {member for member in found if layout.is_hash(member.partition("/")[2])}


def add_document(
    group: Group,
    data: Any,
    *,
    schema: str,
    about: Iterable[tuple[str, str]],
    supersedes: FreeDocument | str | None,
    by: str,
    created_at: datetime | str | None,
) -> FreeDocument:
    """See `Group.add_document`; what it is about as kinds and ids."""
    group.require_writable()
    digest = supersedes.id if isinstance(supersedes, FreeDocument) else supersedes
    older = None if digest is None else group.attached.all(FreeDocument).get(digest)
    if digest is not None and older is None:
        raise MemberNotFoundError(f"no document {digest} to supersede", where=group.name)
    made = datetime.now(UTC).replace(microsecond=0) if created_at is None else created_at
    value: dict[str, Any] = {
        "schema": schema, "version": older.version + 1 if older else 1, "supersedes": digest,
        "about": [{what: uuid} for what, uuid in about],
        "createdAt": made.isoformat() if isinstance(made, datetime) else made, "by": by, "data": data,
    }  # fmt: skip
    try:
        raw = dump(value)
    except (TypeError, ValueError) as error:
        raise UsageError(f"the data of a document must be JSON: {error}.", where=group.name) from error
    return group.attached.put(FreeDocument, raw)


def add_source(
    group: Group,
    root: str,
    files: Iterable[tuple[str | OriginalFile, Sequence[bytes | FilePart]]],
    *,
    tool: str | None,
) -> VendorSource:
    """See `Group.add_source`."""
    group.require_writable()
    added: list[str] = []
    try:
        made = tuple(_made_of(group, file, pieces, added) for file, pieces in files)
        value = originals.recipe_json(OriginalsRecipe(root, made, tool))
        originals.read_recipe(value, where=group.name)
    except BaseException:
        for path in added:
            group.edited.remove(path)
        raise
    return group.attached.put(VendorSource, dump(value))


def _made_of(
    group: Group, named: str | OriginalFile, pieces: Sequence[bytes | FilePart], added: list[str]
) -> OriginalFile:
    """A file with its parts, hash and size; bytes go to residue. A hash that is known already is compared."""
    file = OriginalFile(named, "", 0, ()) if isinstance(named, str) else named
    parts: list[FilePart] = []
    hashed = hashlib.sha256()
    for piece in pieces:
        if isinstance(piece, bytes):
            part, content = FilePart(originals.residue_path(piece), len(piece)), piece
            if not group.edited.has(part.member):
                group.edited.write(part.member, piece)
                added.append(part.member)
        else:
            part = piece
            content = originals.taken_from([part], {part.member: group.edited.read(part.member)}, group.name)
        hashed.update(content)
        parts.append(part)
    digest, size = hashed.hexdigest(), sum(part.length for part in parts)
    if file.sha256 and (file.sha256, file.size) != (digest, size):
        raise UsageError(f"the parts of {file.path} do not give its {file.size:,} bytes back.", where=group.name)
    return replace(file, sha256=digest, size=size, parts=tuple(parts))


def check_attached(each: HashedDocument) -> None:
    """Read a document or a source; the group remembers what is odd."""
    if each.document.problem is None and isinstance(each, VendorSource):
        try:
            each.check_members()
        except (InputError, MemberNotFoundError) as error:
            each.group.warn(each.path, error.what)


def _batches(files: Sequence[OriginalFile], sizes: Mapping[str, int]) -> Iterator[Sequence[OriginalFile]]:
    """Runs of files whose members are some MiB together; a larger file stands alone."""
    start, total = 0, 0
    for at, file in enumerate(files):
        own = sum(sizes[member] for member in {part.member for part in file.parts})
        if at > start and (total + own > _BATCH_BYTES or at - start == _BATCH_FILES):
            yield files[start:at]
            start, total = at, 0
        total += own
    if start < len(files):
        yield files[start:]

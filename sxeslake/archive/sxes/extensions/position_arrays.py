"""The arrays of a position with what `arrays.json` says of them: type, shape, axis, version, own conditions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from sxeslake.archive.sxes import adding, faces, layout
from sxeslake.archive.sxes.documents.text import Document, dump, parse
from sxeslake.archive.sxes.extensions import array_fields
from sxeslake.archive.sxes.extensions.array_fields import ArrayAxis, ArrayFields
from sxeslake.archive.sxes.shared import Condition, RawCondition, Shared
from sxeslake.errors import AlreadyExistsError, DamagedArchiveError, InputError, MemberNotFoundError, UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from sxeslake.archive.sxes.group import Group
    from sxeslake.archive.sxes.position import Position

_USUAL: Final = {"xes": ("<u4", (17, 2049)), "qlw": ("<f8", (4095,)), "sum": ("|u1", (2048,))}
"""Type and shape of what the instrument's own software stores, where the size is the usual one."""


class DescribedArray:
    """One array of a position, and what is known of it.

    Attributes
    ----------
    position : Position
        The position that has it.
    name : str
        The data type, ``"wds-ch3"``.
    fields : ArrayFields
        What `arrays.json` says, typed; all None where it says nothing.
    json : dict
        The same as it is, with fields that this version does not know.

    Examples
    --------
    >>> from sxeslake.archive import create_group
    >>> analysis = create_group().add_project("p").add_analysis("quant")
    >>> position = analysis.add_position(condition={}, state={})
    >>> position.add_array("quant", [[0.3, 0.7]], columns=["Fe", "S"])
    <DescribedArray quant: float64 1 × 2>
    >>> position.arrays["quant"].fields.columns
    ('Fe', 'S')
    """

    def __init__(self, position: Position, name: str, json: Mapping[str, Any]) -> None:
        self.position = position
        self.name = name
        self.json = json
        self.fields: ArrayFields = array_fields.read_array(json)

    def __repr__(self) -> str:
        return faces.array_line(self)

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self.position.members[self.name + layout.TYPE_SUFFIX]

    @property
    def dtype(self) -> str:
        """As numpy writes it, ``"<f8"``: as stated, else as usual for such data, else bytes."""
        return self.fields.dtype or self._usual()[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """As stated, else as usual for such data, else one dimension."""
        if self.fields.shape is not None:
            return self.fields.shape
        size = array_fields.item_size(self.fields.dtype)
        return (self.size // size,) if size else self._usual()[1]

    @property
    def axis(self) -> ArrayAxis | None:
        """The axis of the last dimension: the instrument's own, else a derived one; None where none is stated."""
        return self.fields.axis or self.fields.derived_axis

    @property
    def condition(self) -> Condition | None:
        """Its own condition, else that of the position."""
        own = self.fields.condition_id
        return self.position.condition if own is None else self._named(Condition, own)

    @property
    def raw_condition(self) -> RawCondition | None:
        """Its own raw condition, else that of the position."""
        own = self.fields.raw_condition_id
        return self.position.raw_condition if own is None else self._named(RawCondition, own)

    def array(self) -> NDArray[Any]:
        """The array as numpy, read-only.

        Returns
        -------
        numpy.ndarray
            Of `dtype` and `shape`.

        Raises
        ------
        DamagedArchiveError
            If the member has another size than they need; it is not read then.
        """
        self.check_size()
        where = f"{self.position.group.name}: {layout.type_path(self.position.uuid, self.name)}"
        return array_fields.array_of(self.position.raw(self.name), self.dtype, self.shape, where)

    def check_size(self) -> None:
        """Compare the member's size with type and shape, without reading it.

        Raises
        ------
        DamagedArchiveError
            If they do not fit.
        """
        problem = array_fields.size_problem(self.dtype, self.shape, self.size)
        if problem is not None:
            raise DamagedArchiveError(
                f"{self.name} is not as {layout.ARRAYS} says: {problem}",
                where=f"{self.position.group.name}: {self.position.folder}",
            )

    def _named(self, kind: type[Any], digest: str) -> Any:
        return self.position.group.files.named(kind, digest, self.position.folder, layout.ARRAYS)

    def _usual(self) -> tuple[str, tuple[int, ...]]:
        there = self.size
        dtype, shape = _USUAL.get(self.name, ("|u1", (there,)))
        if array_fields.size_problem(dtype, shape, there) is None:
            return dtype, shape
        return ("<f8", (there // 8,)) if self.name == "qlw" and there % 8 == 0 else ("|u1", (there,))


class PositionArrays(Mapping[str, DescribedArray]):
    """The arrays of a position by data type, as `position.arrays` gives them."""

    def __init__(self, position: Position) -> None:
        self._position = position
        self._entries = position.arrays_document.fields
        self._names = position.types

    def __getitem__(self, name: str) -> DescribedArray:
        if name not in self._names:
            raise KeyError(name)
        entry = self._entries.get(name)
        return DescribedArray(self._position, name, entry if isinstance(entry, dict) else {})

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{name!r}: {self[name]!r}' for name in self)}}}"


def add_array(
    position: Position,
    name: str,
    values: ArrayLike,
    *,
    axis: ArrayAxis | None,
    derived_axis: ArrayAxis | None,
    supersedes: str | None,
    made_by: str | None,
    condition: Mapping[str, object] | bytes | str | None,
    raw_condition: Mapping[str, object] | bytes | str | None,
    columns: Sequence[str],
    more: Mapping[str, Any] | None,
) -> DescribedArray:
    """See `Position.add_array`."""
    group, there = position.group, position.types
    group.require_writable()
    if not name or any(letter in name for letter in "./\\\0"):
        raise UsageError(f"{name!r} cannot be a data type.", where=position.folder, hint="No points and no slashes.")
    if name in there:
        raise AlreadyExistsError(
            f"there is {name} already.", where=position.folder,
            hint="A newer version is a data type of its own, such as qlw-v2, with supersedes=.",
        )  # fmt: skip
    if supersedes is not None and supersedes not in there:
        raise MemberNotFoundError(
            f"no data of type {supersedes} to supersede", where=position.folder,
            hint=f"There are: {', '.join(there) or 'none'}.",
        )  # fmt: skip
    dtype, shape, data = array_fields.stored_bytes(values)
    if columns and len(columns) != shape[-1]:
        raise UsageError(f"{len(columns)} columns do not name {shape[-1]}.", where=position.folder)
    older = position.arrays[supersedes] if supersedes is not None else None
    entry = array_fields.array_json(
        dtype, shape, axis=axis, derived_axis=derived_axis, version=older.fields.version + 1 if older else None,
        supersedes=supersedes, made_by=made_by,
        condition_id=None if condition is None else adding.shared_id(group, Condition, condition),
        raw_condition_id=None if raw_condition is None else adding.shared_id(group, RawCondition, raw_condition),
        columns=columns,
    )  # fmt: skip
    describe(position, name, {**entry, **(more or {})})
    position.set_raw(name, data)
    return position.arrays[name]


def describe(position: Position, name: str, entry: Mapping[str, Any] | None) -> None:
    """Say in `arrays.json` what a data type is; None says nothing of it any more."""
    group, document = position.group, position.arrays_document
    group.require_writable()
    if document.encoding is None or not isinstance(document.value, dict):
        raise InputError(f"{document.problem}; a change would lose its bytes", where=f"{group.name}: {document.path}")
    before = named_in(document) or set()
    entries = {key: value for key, value in document.fields.items() if key != name}
    if entry is not None:
        entries[name] = dict(entry)
    if entries:
        group.state_extension("arrays")
        position.write(layout.ARRAYS, dump(entries, document.encoding))
    elif document.raw:
        group.edited.remove(document.path)
    group.files.suspect(before - (named_in(position.arrays_document) or set()))


def described_again(position: Position, name: str, dtype: str, shape: Sequence[int]) -> None:
    """Say the new type and shape of an array that `arrays.json` describes; of no other."""
    entry = position.arrays_document.fields.get(name)
    if isinstance(entry, dict):
        describe(position, name, {**entry, "dtype": dtype, "shape": list(shape)})


def named_in(document: Document) -> set[str] | None:
    """The shared files that an `arrays.json` names; None where it cannot be parsed, so that nobody knows."""
    if document.raw and not isinstance(document.value, dict):
        return None
    fields = map(array_fields.read_array, document.fields.values())
    return {each for array in fields for each in (array.condition_id, array.raw_condition_id) if each}


def shared_by(position: Position) -> list[Shared]:
    """The conditions and raw conditions that the arrays of a position have of their own."""
    files = position.group.files
    found: list[Shared | None] = []
    for entry in position.arrays_document.fields.values():
        fields = array_fields.read_array(entry)
        for kind, digest in ((Condition, fields.condition_id), (RawCondition, fields.raw_condition_id)):
            found.append(files.named(kind, digest, position.folder, layout.ARRAYS))
    return [each for each in found if each is not None]


def named_by_arrays(group: Group) -> set[str] | None:
    """The shared files that any `arrays.json` of a group names; None where one cannot be parsed."""
    suffix = f"/{layout.ARRAYS}"
    paths = [each.path for each in group.edited.children(f"{layout.DATA}/") if each.path.endswith(suffix)]
    found: set[str] = set()
    for path, raw in group.edited.read_many(paths):
        named = named_in(parse(path, raw, group.encoding))
        if named is None:
            return None
        found |= named
    return found


def check_arrays(position: Position) -> None:
    """Read the `arrays.json` of a position and look for what it names; the group remembers what is odd."""
    document, arrays = position.arrays_document, position.arrays
    for name, entry in document.fields.items():
        if not isinstance(entry, dict):
            position.group.warn(document.path, f"{name} is not described by a JSON object")
        elif name not in arrays:
            position.group.warn(document.path, f"describes {name}, which is not there")
        else:
            _ = arrays[name].condition, arrays[name].raw_condition
            try:
                arrays[name].check_size()
            except DamagedArchiveError as error:
                position.group.warn(document.path, error.what)

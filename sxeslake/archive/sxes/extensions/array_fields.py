"""Arrays that JSON describes: type, shape, axis, version. What they need is proved before memory is taken. Pure.

For writers: `ArrayAxis` and `array_json` make an entry of `arrays.json`; `stored_bytes` makes an array's bytes and says
their type. For readers: `read_array` gives typed fields, `size_problem` says why a member cannot be what is said of it,
and `array_of` is the array itself.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sxeslake.archive.sxes.documents.fields import mapping
from sxeslake.archive.sxes.documents.units import integer, number, text
from sxeslake.errors import DamagedArchiveError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

MOST_DIMENSIONS: Final = 8
_DTYPE = re.compile(r"[<>|]?(?:[iu](?P<whole>[1248])|f(?P<real>[248]))", re.ASCII)


@dataclass(frozen=True, slots=True)
class ArrayAxis:
    """The axis that an archive states for an array, along its last dimension.

    Attributes
    ----------
    quantity : str
        What its values are: ``"position"`` of a spectrometer, ``"wavelength"``, ``"energy"``.
    unit : str
        Their unit, ``"mm"``, ``"Å"``, ``"eV"``; empty where it is not known.
    start, step : float or None
        The first value, and from one to the next, in `unit`; None where `listed` has them all.
    source : str or None
        Where they stand in the instrument's own words, ``"XM_WDS_SCAN_START_POS%0"``.
    method : str or None
        How they were derived, ``"fit XES300N/JS300N"``; None where the instrument stated them.
    listed : tuple of float
        All values of an axis that is not even.

    Examples
    --------
    >>> from sxeslake.archive import ArrayAxis
    >>> ArrayAxis("position", "mm", start=70.0, step=0.5).values(3).tolist()
    [70.0, 70.5, 71.0]
    """

    quantity: str
    unit: str
    start: float | None = None
    step: float | None = None
    source: str | None = None
    method: str | None = None
    listed: tuple[float, ...] = ()

    def values(self, count: int) -> NDArray[np.float64]:
        """The axis in `unit`.

        Parameters
        ----------
        count : int
            How many channels it has.

        Returns
        -------
        numpy.ndarray of float64, shape (count,)
            The value of each channel.

        Raises
        ------
        DamagedArchiveError
            If the axis lists another number of values, or states neither them nor start and step.
        """
        import numpy as np  # noqa: PLC0415 - numpy costs start-up time: loaded when an array is asked for

        if self.listed:
            if len(self.listed) != count:
                raise DamagedArchiveError(f"an axis of {len(self.listed):,} values does not fit {count:,} channels")
            return np.array(self.listed, np.float64)
        if self.start is None or self.step is None:
            raise DamagedArchiveError(f"the axis {self.quantity!r} has neither values nor a start and a step")
        return self.start + self.step * np.arange(count, dtype=np.float64)

    def json(self) -> dict[str, Any]:
        """The entry of `arrays.json`; what is not known is left out.

        Returns
        -------
        dict
            Its JSON.
        """
        fields = {
            "quantity": self.quantity, "unit": self.unit, "start": self.start, "step": self.step,
            "values": list(self.listed) or None, "source": self.source, "method": self.method,
        }  # fmt: skip
        return {key: value for key, value in fields.items() if value is not None}


@dataclass(frozen=True, slots=True)
class ArrayFields:
    """What `arrays.json` says of one data type; None where it says nothing readable.

    Attributes
    ----------
    dtype : str or None
        As numpy writes it, ``"<f8"``.
    shape : tuple of int or None
        Length along each dimension.
    axis, derived_axis : ArrayAxis or None
        Stated by the instrument; derived from it by a `method`.
    version : int
        From 1.
    supersedes : str or None
        The data type that it is a newer version of.
    made_by : str or None
        Who or what made it.
    condition_id, raw_condition_id : str or None
        Shared files of this data type alone, in place of those of `info.json`.
    columns : tuple of str
        Names along the last dimension.

    Examples
    --------
    >>> from sxeslake.archive import create_group
    >>> analysis = create_group().add_project("p").add_analysis("quant")
    >>> position = analysis.add_position(condition={}, state={})
    >>> fields = position.add_array("quant", [0.3, 0.7], columns=["Fe", "S"]).fields
    >>> fields.dtype, fields.shape, fields.columns, fields.version
    ('<f8', (2,), ('Fe', 'S'), 1)
    """

    dtype: str | None
    shape: tuple[int, ...] | None
    axis: ArrayAxis | None
    derived_axis: ArrayAxis | None
    version: int
    supersedes: str | None
    made_by: str | None
    condition_id: str | None
    raw_condition_id: str | None
    columns: tuple[str, ...]


def read_array(value: object) -> ArrayFields:
    """One entry of `arrays.json`, whatever it is."""
    fields = mapping(value)
    return ArrayFields(
        dtype=text(fields.get("dtype")),
        shape=read_shape(fields.get("shape")),
        axis=read_axis(fields.get("axis")),
        derived_axis=read_axis(fields.get("derivedAxis")),
        version=integer(fields.get("version")) or 1,
        supersedes=text(fields.get("supersedes")),
        made_by=text(fields.get("madeBy")),
        condition_id=text(fields.get("conditionUuid")),
        raw_condition_id=text(fields.get("rawConditionUuid")),
        columns=_texts(fields.get("columns")),
    )


def array_json(
    dtype: str,
    shape: Sequence[int],
    *,
    axis: ArrayAxis | None = None,
    derived_axis: ArrayAxis | None = None,
    version: int | None = None,
    supersedes: str | None = None,
    made_by: str | None = None,
    condition_id: str | None = None,
    raw_condition_id: str | None = None,
    columns: Sequence[str] = (),
) -> dict[str, Any]:
    """One entry of `arrays.json`; what is not known is left out."""
    fields = {
        "dtype": dtype, "shape": list(shape), "axis": axis.json() if axis else None,
        "derivedAxis": derived_axis.json() if derived_axis else None, "version": version, "supersedes": supersedes,
        "madeBy": made_by, "conditionUuid": condition_id, "rawConditionUuid": raw_condition_id,
        "columns": list(columns) or None,
    }  # fmt: skip
    return {key: value for key, value in fields.items() if value is not None}


def read_axis(value: object) -> ArrayAxis | None:
    """An axis; None where there is none."""
    fields = mapping(value)
    quantity = text(fields.get("quantity"))
    if quantity is None:
        return None
    values = fields.get("values")
    numbers = [number(each) for each in values] if isinstance(values, list) else []
    listed = tuple(each for each in numbers if each is not None)
    return ArrayAxis(
        quantity, text(fields.get("unit")) or "", number(fields.get("start")), number(fields.get("step")),
        text(fields.get("source")), text(fields.get("method")), listed if len(listed) == len(numbers) else (),
    )  # fmt: skip


def read_shape(value: object) -> tuple[int, ...] | None:
    """`[17, 2049]` → (17, 2049); None where it is not a list of lengths."""
    if not isinstance(value, list) or not 0 < len(value) <= MOST_DIMENSIONS:
        return None
    if not all(isinstance(each, int) and not isinstance(each, bool) and 0 <= each < 1 << 63 for each in value):
        return None
    return tuple(value)


def item_size(dtype: str | None) -> int | None:
    """Bytes of one value: `<f8` → 8; None for what is no type of whole or real numbers."""
    match = _DTYPE.fullmatch(dtype or "")
    return int(match["whole"] or match["real"]) if match else None


def size_problem(dtype: str | None, shape: Sequence[int] | None, there: int) -> str | None:
    """Why `there` bytes cannot be an array of that type and shape; None where they can."""
    size = item_size(dtype)
    if size is None:
        return f"{dtype!r} is not a type of numbers that is known here"
    if shape is None:
        return "it has no shape that can be read"
    needed = math.prod(shape) * size
    if needed == there:
        return None
    return f"{dtype} {' × '.join(map(str, shape))} needs {_bytes(needed)}, and {there:,} are there"


def array_of(raw: bytes, dtype: str | None, shape: Sequence[int] | None, where: object = None) -> NDArray[Any]:
    """The array that some bytes are, a read-only view. Raises DamagedArchiveError."""
    import numpy as np  # noqa: PLC0415 - as above

    problem = size_problem(dtype, shape, len(raw))
    if problem is not None or shape is None:
        raise DamagedArchiveError(f"this cannot be read: {problem}", where=where)
    return np.frombuffer(raw, dtype).reshape(shape)


def stored_bytes(values: ArrayLike) -> tuple[str, tuple[int, ...], bytes]:
    """An array's type, shape and bytes as an archive stores them: little-endian, row by row.

    Raises
    ------
    UsageError
        If it is no array of whole or real numbers of 1, 2, 4 or 8 bytes.
    """
    import numpy as np  # noqa: PLC0415 - as above

    array = np.asarray(values)
    array = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(array.shape or (1,))
    dtype = array.dtype.str
    if item_size(dtype) is None or array.ndim > MOST_DIMENSIONS:
        raise UsageError(
            f"an array of {array.dtype} with {array.ndim} dimensions cannot be stored.",
            hint=f"Whole or real numbers of 1, 2, 4 or 8 bytes, in {MOST_DIMENSIONS} dimensions at most.",
        )
    return dtype, array.shape, array.tobytes()


def _texts(value: object) -> tuple[str, ...]:
    """The texts of a list that holds nothing else; repeated ones too."""
    if not isinstance(value, list):
        return ()
    found = tuple(each for each in value if isinstance(each, str))
    return found if len(found) == len(value) else ()


def _bytes(count: int) -> str:
    return f"{count:,} bytes" if count < 1 << 64 else "more bytes than any computer has"

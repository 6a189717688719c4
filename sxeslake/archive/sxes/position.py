"""Positions and images: the measured things of a group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sxeslake.archive.sxes import adding, faces, layout
from sxeslake.archive.sxes.documents.fields import ConditionFields
from sxeslake.archive.sxes.documents.text import Document
from sxeslake.archive.sxes.extensions import position_arrays
from sxeslake.archive.sxes.extensions.position_arrays import DescribedArray, PositionArrays
from sxeslake.archive.sxes.items import Item
from sxeslake.archive.sxes.shared import Background
from sxeslake.errors import DamagedArchiveError, InputError, MemberNotFoundError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from sxeslake.archive.sxes.axes import Axis, AxisKind, Setting
    from sxeslake.archive.sxes.extensions.array_fields import ArrayAxis

_USUAL = ("xes", "qlw", "sum")  # what the instrument's own software stores; no description needs to be read


class Position(Item):
    """One measured position: its spectra, where and how they were taken.

    Examples
    --------
    >>> position = lake["map"].positions[0]
    >>> sorted(position.types), position.qlw.shape
    (['qlw', 'sum', 'xes'], (4095,))
    """

    root = layout.DATA
    _origin = "position"

    def _repr_html_(self) -> str:
        return faces.position_html(self)

    @property
    def operator(self) -> str:
        """The operator of info.json itself; settable. See also `resolved_operator`."""
        return self.info.operator or ""

    @operator.setter
    def operator(self, value: str) -> None:
        self.edit_info(operator=value)

    @property
    def background(self) -> Background | None:
        """The dark frame, if any."""
        return self.group.files.named(Background, self.info.background_id, self.folder)

    @property
    def types(self) -> tuple[str, ...]:
        """Data types present: `("qlw", "sum", "xes")`."""
        names = self.members
        return tuple(name[: -len(layout.TYPE_SUFFIX)] for name in names if name.endswith(layout.TYPE_SUFFIX))

    @property
    def arrays(self) -> Mapping[str, DescribedArray]:
        """Its arrays by data type, each with what `arrays.json` says of it: type, shape, axis, version, condition.

        Examples
        --------
        >>> from sxeslake.archive import ArrayAxis, create_group
        >>> analysis = create_group().add_project("p").add_analysis("scan")
        >>> position = analysis.add_position(condition={}, state={})
        >>> axis = ArrayAxis("position", "mm", start=70.0, step=0.5)
        >>> position.add_array("wds-ch3", [3.0, 5.0, 4.0], axis=axis).axis.values(3).tolist()
        [70.0, 70.5, 71.0]
        """
        return PositionArrays(self)

    @property
    def arrays_document(self) -> Document:
        """`arrays.json` as it is; an empty one where there is none."""
        path = self.folder + layout.ARRAYS
        return self._document(layout.ARRAYS) if self.group.edited.has(path) else Document(path, b"", {}, "utf-8")

    def add_array(
        self,
        name: str,
        values: ArrayLike,
        *,
        axis: ArrayAxis | None = None,
        derived_axis: ArrayAxis | None = None,
        supersedes: str | None = None,
        made_by: str | None = None,
        condition: Mapping[str, object] | bytes | str | None = None,
        raw_condition: Mapping[str, object] | bytes | str | None = None,
        columns: Sequence[str] = (),
        more: Mapping[str, Any] | None = None,
    ) -> DescribedArray:
        """Add an array of any type and shape, described in `arrays.json`.

        Parameters
        ----------
        name : str
            The data type, ``"wds-ch3"``: without points and slashes.
        values : array_like
            Whole or real numbers of any shape; stored little-endian, row by row.
        axis, derived_axis : ArrayAxis, optional
            Of the last dimension: as the instrument states it; as somebody derived it.
        supersedes : str, optional
            The data type that this is a newer version of, ``"qlw"``. It stays.
        made_by : str, optional
            Who or what made it.
        condition, raw_condition : dict, bytes or str, optional
            Of this array alone: JSON, exact bytes, or the id of one that the group has.
        columns : sequence of str
            Names along the last dimension.
        more : mapping, optional
            Fields of the entry that are not named here.

        Returns
        -------
        DescribedArray

        Raises
        ------
        AlreadyExistsError
            If the position has data of that name.
        MemberNotFoundError
            If it has no data that these could supersede.
        UsageError
            If the name cannot be that of a data type, or the values are no such numbers.

        Examples
        --------
        >>> from sxeslake.archive import create_group
        >>> analysis = create_group().add_project("p").add_analysis("scan")
        >>> position = analysis.add_position(condition={}, state={}, arrays={"qlw": [1.0, 2.0]})
        >>> position.add_array("qlw-v2", [1.1, 1.9], supersedes="qlw", made_by="smoothing 1.0").fields.version
        2
        """
        return position_arrays.add_array(
            self, name, values, axis=axis, derived_axis=derived_axis, supersedes=supersedes, made_by=made_by,
            condition=condition, raw_condition=raw_condition, columns=columns, more=more,
        )  # fmt: skip

    def raw(self, data_type: str) -> bytes:
        """A data type's exact bytes.

        Parameters
        ----------
        data_type : str
            Such as ``qlw``.

        Returns
        -------
        bytes
            Exactly as stored.

        Raises
        ------
        MemberNotFoundError
            If the position has no such type, naming those it has.
        """
        try:
            return self.read(data_type + layout.TYPE_SUFFIX)
        except MemberNotFoundError as error:
            there = ", ".join(self.types) or "none"
            raise MemberNotFoundError(
                f"no data of type {data_type}", where=f"{self.group.name}: {self.folder}", hint=f"There are: {there}."
            ) from error

    def array(self, data_type: str, dtype: DTypeLike | None = None) -> NDArray[Any]:
        """A data type as numpy, read-only: `xes` uint32 (17, 2049), `qlw` float64 (4095,), `sum` uint8 (2048,).

        Any other type is as `arrays.json` describes it, else uint8, or the `dtype` you say.

        Parameters
        ----------
        data_type : str
            Such as ``qlw``.
        dtype : dtype, optional
            Of a type that is not known; by default as `arrays.json` describes it, else uint8.

        Returns
        -------
        array
            Read-only.

        Raises
        ------
        MemberNotFoundError
            If the position has no such type.
        DamagedArchiveError
            If its size is not that of the type.
        """
        import numpy as np  # noqa: PLC0415 - numpy costs start-up time: loaded when an array is asked for

        from sxeslake.archive.sxes import arrays  # noqa: PLC0415 - as above

        if dtype is None and data_type not in _USUAL and data_type in (described := self.arrays):
            return described[data_type].array()
        raw = self.raw(data_type)
        where = f"{self.group.name}: {layout.type_path(self.uuid, data_type)}"
        if dtype is None and data_type == "xes":
            usual = len(raw) == arrays.XES_BYTES  # then no condition needs to be read to know the shape
            return arrays.xes_array(raw, None if usual else self._condition_fields(), where)
        if dtype is None and data_type == "qlw":
            return arrays.qlw_array(raw, where)
        try:
            return np.frombuffer(raw, np.uint8 if dtype is None else dtype)
        except ValueError as error:
            raise DamagedArchiveError(f"{len(raw)} bytes are not a row of {np.dtype(dtype)}", where=where) from error

    @property
    def xes(self) -> NDArray[np.uint32]:
        """The camera image as stored, uint32 (17, 2049): a sum of `accumulation` frames; see `signal`."""
        return self.array("xes")

    @property
    def qlw(self) -> NDArray[np.float64]:
        """The vendor's spectrum, float64 (4095,), linear in wavelength."""
        return self.array("qlw")

    @property
    def sum(self) -> NDArray[np.uint8]:
        """Low bytes of the column sums, uint8 (2048,). Useless as data; kept because it is stored."""
        return self.array("sum")

    @property
    def signal(self) -> NDArray[np.uint32]:
        """The part of xes that is signal, uint32 (16, 2048)."""
        return self.xes[:-1, :-1]

    @property
    def saturated(self) -> NDArray[np.bool_]:
        """Where the signal is at the camera's full scale in every frame, bool (16, 2048)."""
        from sxeslake.archive.sxes import arrays  # noqa: PLC0415 - as above

        return arrays.saturated(self.xes, self._accumulation())

    @property
    def background_corrected(self) -> NDArray[np.int64]:
        """Signal minus `accumulation` × background, int64 (16, 2048), exact; noise makes some values negative."""
        from sxeslake.archive.sxes import arrays  # noqa: PLC0415 - as above

        background = self.background
        if background is None:
            raise InputError("no background is stored for this position", where=f"{self.group.name}: {self.folder}")
        return arrays.background_corrected(self.xes, background.array, self._accumulation(), self.folder)

    @property
    def spectrum(self) -> NDArray[np.int64]:
        """The spectrum of the camera image: `signal` summed over its rows, int64 (2048,), in counts.

        Formula: spectrum[c] = Σ_r signal[r, c]. No background is subtracted; see `spectrum_of`. The counts are
        those of the detector, so that √N is not their uncertainty.

        Raises
        ------
        MemberNotFoundError
            If the position has no `xes` data.
        DamagedArchiveError
            If the data have another size than the condition says.

        Examples
        --------
        >>> from sxeslake.archive import open_group
        >>> position = open_group("map.plzip").positions[0]  # doctest: +SKIP
        >>> position.spectrum.shape  # doctest: +SKIP
        (2048,)
        """
        return self.spectrum_of()

    def spectrum_of(self, *, background: bool = False) -> NDArray[np.int64]:
        """The spectrum of the camera image, with the dark frame subtracted where that is asked for.

        Parameters
        ----------
        background : bool
            Subtract the stored dark frame: spectrum[c] = Σ_r (signal[r, c] - accumulation × background[r, c]).

        Returns
        -------
        numpy.ndarray of int64, shape (2048,)
            Counts; with `background`, noise makes some of them negative.

        Raises
        ------
        InputError
            If `background` is asked for and the position has none, or no condition that says how many frames
            were summed.
        MemberNotFoundError, DamagedArchiveError
            As for `spectrum`.
        """
        from sxeslake.archive.sxes import arrays  # noqa: PLC0415 - as above

        return arrays.column_sum(self.background_corrected if background else self.signal)

    @property
    def qlw_background_subtracted(self) -> bool | None:
        """Whether the instrument subtracted the background from `qlw`, judged by the data.

        `qlw` is compared with the spectrum that `xes` gives without correction (`arrays.qlw_from_xes`), but for the
        last two channels, which lie beyond the camera. No field of the archive tells it.

        Returns
        -------
        bool or None
            False where both are equal within 1e-5, True where they differ. None where that tells nothing: `qlw` or
            `xes` is missing or of another size, or they differ and the spectrometer and grating are not those whose
            channels are known (XES300N with JS300N).

        Raises
        ------
        DamagedArchiveError
            If the data have another size than the condition says.

        Examples
        --------
        >>> from sxeslake.archive import open_group
        >>> position = open_group("map.plzip").positions[0]  # doctest: +SKIP
        >>> position.qlw_background_subtracted  # doctest: +SKIP
        True
        """
        from sxeslake.archive.sxes import arrays  # noqa: PLC0415 - as above

        if not {"qlw", "xes"} <= set(self.types):
            return None
        fields = self._condition_fields()
        setting = None if fields is None else (fields.spectrometer, fields.grating)
        is_raw = arrays.is_uncorrected(self.qlw, self.signal)
        return None if is_raw is None or (not is_raw and setting != arrays.DERIVED_AXIS_SETTING) else not is_raw

    def axis(self, kind: AxisKind = "energy", data_type: str = "qlw") -> Axis:
        """The axis of a spectrum of this position.

        Parameters
        ----------
        kind : {"energy", "wavelength", "channel"}
            In eV, in Å, or the number of the channel from 0.
        data_type : str
            ``"qlw"``, ``"spectrum"`` (see `spectrum`), or another type with 8 bytes a channel.

        Returns
        -------
        Axis
            Its `values` are float64 (channels,); `source` says where they come from: a calibration of the lake,
            else the built-in fit for XES300N with JS300N (residual up to 0.21 Å).

        Raises
        ------
        UsageError
            If the setting has no known axis; `"channel"` always works.
        MemberNotFoundError
            If the position has no such data.

        Examples
        --------
        >>> from sxeslake.archive import open_group
        >>> position = open_group("map.plzip").positions[0]  # doctest: +SKIP
        >>> position.axis("energy").values.shape  # doctest: +SKIP
        (4095,)
        """
        from sxeslake.archive.sxes.axes import SPECTRUM, axis_of  # noqa: PLC0415 - as above

        channels = self.signal.shape[1] if data_type == SPECTRUM else self.array(data_type, "<f8").size
        where = f"{self.group.name}: {self.folder}"
        return axis_of(kind, channels, data_type, self.setting, self.group.calibrations(), where)

    @property
    def setting(self) -> Setting:
        """What decides the axes: spectrometer, grating, instrument and the day of acquisition."""
        from sxeslake.archive.sxes.axes import Setting  # noqa: PLC0415 - as above

        condition, analysis = self._condition_fields(), self.analysis
        saved = self.state.saved_local
        return Setting(
            None if condition is None else condition.spectrometer,
            None if condition is None else condition.grating,
            (analysis.instrument if analysis is not None else "") or (condition.instrument if condition else None),
            None if saved is None else saved.date(),
        )

    @property
    def derived_wavelength_angstrom(self) -> NDArray[np.float64]:
        """A wavelength axis for `qlw` in Å, derived, not stored; UsageError for settings that have none."""
        from sxeslake.archive.sxes import arrays  # noqa: PLC0415 - as above

        condition = self._condition_fields()
        if condition is None:
            raise InputError("no condition says how this was measured", where=f"{self.group.name}: {self.folder}")
        return arrays.derived_wavelength_angstrom(condition)

    def set_array(self, data_type: str, values: ArrayLike) -> None:
        """Store an array as a data type, little-endian: `xes` as uint32, `qlw` as float64, others as they are.

        Parameters
        ----------
        data_type : str
            Such as ``qlw``.
        values : array
            In counts, of the type's shape.

        Raises
        ------
        UsageError
            If the shape is another, or a value does not fit the type.
        """
        import numpy as np  # noqa: PLC0415 - as above

        stored = {"xes": "<u4", "qlw": "<f8", "sum": "u1"}.get(data_type)
        array = np.asarray(values)
        dtype = np.dtype(stored) if stored else array.dtype.newbyteorder("<")
        with np.errstate(invalid="ignore"):
            converted = np.ascontiguousarray(array, dtype)
        if not np.array_equal(converted, array, equal_nan=converted.dtype.kind == "f"):
            raise UsageError(f"values of {data_type} do not fit {dtype.name}", where=self.folder)
        self.set_raw(data_type, converted.tobytes())
        position_arrays.described_again(self, data_type, converted.dtype.str, array.shape or (1,))

    def set_raw(self, data_type: str, data: bytes) -> None:
        """Store bytes as a data type of any name.

        Parameters
        ----------
        data_type : str
            Its name.
        data : bytes
            Its content.

        Raises
        ------
        UsageError
            If no type can be called so.
        """
        if "/" in data_type:
            raise UsageError(f"not a data type: {data_type!r}", where=self.folder)
        self.write(data_type + layout.TYPE_SUFFIX, data)

    def remove_type(self, data_type: str) -> None:
        """Remove a data type.

        Parameters
        ----------
        data_type : str
            Such as ``qlw``.
        """
        self.raw(data_type)
        self.group.require_writable()
        if data_type in self.arrays_document.fields:
            position_arrays.describe(self, data_type, None)
        path = layout.type_path(self.uuid, data_type)
        self.group.edited.remove(path)
        self.group.attached.suspect([("member", path)])

    def set_background(self, background: NDArray[np.integer] | bytes | str) -> None:
        """Point to a background: a frame (17, 2049), a file's exact bytes, or the id of one that the group has.

        Parameters
        ----------
        background : array, bytes or str
            In counts.
        """
        self.edit_info(backgroundUuid=adding.background_id(self.group, background))

    def _condition_fields(self) -> ConditionFields | None:
        condition = self.condition
        return None if condition is None else condition.fields

    def _accumulation(self) -> int:
        fields = self._condition_fields()
        if fields is None or not fields.accumulation or fields.accumulation < 1:
            raise InputError(
                "the condition does not say how many frames were summed", where=f"{self.group.name}: {self.folder}"
            )
        return fields.accumulation


class Image(Item):
    """A picture of the sample beside the spectra.

    Examples
    --------
    >>> analysis = sxeslake.create_group().add_project("steel").add_analysis()
    >>> analysis.add_image(b"BM", "bmp", condition={}).image_type
    'bmp'
    """

    root = layout.IMAGES
    _origin = "image"

    def _repr_html_(self) -> str:
        return faces.image_html(self, lambda: self.image_type)

    @property
    def image_type(self) -> str:
        """The picture's suffix, `bmp`: what info.json says, else what is in the folder."""
        return self.info.image_type or next(
            (name.rpartition(".")[2] for name in self.members if name.startswith("image.")), ""
        )

    @property
    def picture(self) -> bytes:
        """The picture file's exact bytes."""
        return self.read(f"image.{self.image_type}")

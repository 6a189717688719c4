"""Projects and analyses, the entries of `metadata.json`, and the lazy lists of what they name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from sxeslake.archive.sxes import adding, faces, layout
from sxeslake.archive.sxes.documents.fields import analysis_uuids_key, read_analysis, strings
from sxeslake.archive.sxes.extensions import maps
from sxeslake.archive.sxes.extensions.maps import Map
from sxeslake.archive.sxes.items import Item, PositionBatch
from sxeslake.archive.sxes.position import Image, Position
from sxeslake.errors import DamagedArchiveError, NoSuchIndexError, UnknownUuidError
from sxeslake.text.html import clock, counted
from sxeslake.text.safe import visible

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np
    import xarray as xr
    from numpy.typing import ArrayLike, NDArray

    from sxeslake.archive.spectra.measured import Measured
    from sxeslake.archive.spectra.roi import Roi
    from sxeslake.archive.spectra.spectra import Spectra
    from sxeslake.archive.sxes.extensions.map_fields import MapFrame, MapKind, PointOrder
    from sxeslake.archive.sxes.group import Group
    from sxeslake.archive.sxes.source import MemberSource

_BATCH = 64  # positions read side by side: 9 MB of xes, few requests

ItemT = TypeVar("ItemT", bound=Item)


class Items(Sequence[ItemT], Generic[ItemT]):
    """Positions or images by number, slice or uuid. Nothing is read until an item is touched; loops read ahead.

    Examples
    --------
    >>> positions = lake["map"].positions
    >>> len(positions), [position.comment for position in positions[:2]]
    (12, ['CuFeS2 5kV 100nA : Pos. : 1', 'CuFeS2 5kV 100nA : Pos. : 2'])
    """

    def __init__(self, group: Group, kind: type[ItemT], uuids: Sequence[str]) -> None:
        self._group = group
        self._kind = kind
        self.uuids = uuids

    def __repr__(self) -> str:
        noun = self._kind.__name__.lower()
        return visible(f"<{counted(len(self), noun)} of {self._group.name}>")

    def _repr_html_(self) -> str:
        return faces.items_html(self, repr(self)[1:-1])

    def __len__(self) -> int:
        return len(self.uuids)

    @overload
    def __getitem__(self, key: int | str) -> ItemT: ...
    @overload
    def __getitem__(self, key: slice) -> Items[ItemT]: ...
    def __getitem__(self, key: int | str | slice) -> ItemT | Items[ItemT]:
        if isinstance(key, slice):
            return Items(self._group, self._kind, self.uuids[key])
        if isinstance(key, str):
            if key not in self.uuids:
                raise UnknownUuidError(
                    f"no {self._kind.__name__.lower()} has the UUID {key!r}.",
                    where=self._group.name,
                    hint=f"There are {len(self):,}; `.uuids` lists them.",
                )
            return self._kind(self._group, key)
        try:
            return self._kind(self._group, self.uuids[key])
        except IndexError:
            raise NoSuchIndexError(self._no_number(key), where=self._group.name) from None

    def _no_number(self, key: int) -> str:
        noun = self._kind.__name__.lower()
        if not len(self):
            return f"there is no {noun} [{key}]: there are none."
        are = "is" if len(self) == 1 else "are"
        return f"there is no {noun} [{key}]: there {are} {counted(len(self), noun)}, [0] to [{len(self) - 1}]."

    def __iter__(self) -> Iterator[ItemT]:
        for start in range(0, len(self.uuids), _BATCH):
            uuids = self.uuids[start : start + _BATCH]
            batch = PositionBatch(self._group, [self._kind.folder_of(uuid) for uuid in uuids])
            for uuid in uuids:
                yield self._kind(self._group, uuid, batch)

    def __contains__(self, item: object) -> bool:
        return (item.uuid if isinstance(item, Item) else item) in self.uuids


class MetadataEntry:
    """An entry of `metadata.json`, edited in place so that fields nobody knows stay."""

    def __init__(self, group: Group, fields: dict[str, object]) -> None:
        self.group = group
        self.fields = fields

    def __repr__(self) -> str:
        return faces.entry_line(self, self._holds)

    def _holds(self) -> Iterator[str]:
        """What it holds, in a line."""
        yield from ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MetadataEntry) and self.fields is other.fields

    def __hash__(self) -> int:
        return id(self.fields)

    @property
    def uuid(self) -> str:
        """The entry's id; empty where it has none."""
        return self._text("uuid")

    @property
    def name(self) -> str:
        """The name; settable."""
        return self._text("name")

    @name.setter
    def name(self, value: str) -> None:
        self.edit(name=value)

    @property
    def comment(self) -> str:
        """The comment; settable."""
        return self._text("comment")

    @comment.setter
    def comment(self, value: str) -> None:
        self.edit(comment=value)

    @property
    def operator(self) -> str:
        """The operator; settable."""
        return self._text("operator")

    @operator.setter
    def operator(self, value: str) -> None:
        self.edit(operator=value)

    def edit(self, **changes: object) -> None:
        """Set fields of the entry; all others stay.

        Parameters
        ----------
        **changes
            Fields and their new values.
        """
        self.group.require_writable()
        if any(key not in self.fields or self.fields[key] != value for key, value in changes.items()):
            self.fields.update(changes)
            self.group.touch()

    def listed(self, key: str) -> tuple[str, ...]:
        """The uuids under a key, each once.

        Parameters
        ----------
        key : str
            The list's name.

        Returns
        -------
        tuple of str
            The uuids, in their order.
        """
        return strings(self.fields.get(key))

    def enlist(self, key: str, uuid: str) -> None:
        """Add a uuid under a key.

        Parameters
        ----------
        key : str
            The list's name.
        uuid : str
            The uuid.

        Raises
        ------
        DamagedArchiveError
            If there is something else than a list.
        """
        self.group.require_writable()
        uuids = self.fields.setdefault(key, [])
        if not isinstance(uuids, list):
            raise DamagedArchiveError(f"{key} of {self.uuid} is not a list", where=f"{self.group.name}: metadata.json")
        uuids.append(uuid)
        self.group.touch()

    def delist(self, key: str, gone: set[str]) -> None:
        """Take uuids out from under a key.

        Parameters
        ----------
        key : str
            The list's name.
        gone : set of str
            The uuids.
        """
        uuids = self.fields.get(key)
        if isinstance(uuids, list):
            uuids[:] = [uuid for uuid in uuids if not (isinstance(uuid, str) and uuid in gone)]
            self.group.touch()

    def _text(self, key: str) -> str:
        value = self.fields.get(key)
        return value if isinstance(value, str) else ""


class Project(MetadataEntry):
    """A project: some analyses.

    Examples
    --------
    >>> project = lake["map"].projects[0]
    >>> project.operator, len(project.analyses)
    ('A. Miner', 1)
    """

    def _holds(self) -> Iterator[str]:
        yield counted(len(self.analyses), "analysis")

    def _repr_html_(self) -> str:
        return faces.project_html(self)

    @property
    def analyses(self) -> tuple[Analysis, ...]:
        """The analyses it lists that are there."""
        return tuple(
            analysis for uuid in self.listed(self.list_key) if (analysis := self.group.analysis(uuid)) is not None
        )

    @property
    def list_key(self) -> str:
        """`analysisUuids`, or `analyses` as older files have it."""
        return analysis_uuids_key(self.fields)

    def add_analysis(
        self,
        name: str = "",
        *,
        comment: str = "",
        operator: str = "",
        instrument: str = "",
        acquired: datetime | str | None = None,
        uuid: str | None = None,
    ) -> Analysis:
        """Add an empty analysis.

        Parameters
        ----------
        name, comment, operator, instrument : str
            As people call it, what they say of it, who made it, and with what.
        acquired : datetime or str, optional
            Local time, as the instrument's clock showed it.
        uuid : str, optional
            Its id; a new one by default.

        Returns
        -------
        Analysis
            To add positions and images to.
        """
        return adding.add_analysis(
            self.group,
            self,
            {"name": name, "comment": comment, "operator": operator, "instrument": instrument},
            acquired=acquired,
            uuid=uuid,
        )


class Analysis(MetadataEntry):
    """An analysis: positions measured together, and images.

    Examples
    --------
    >>> analysis = lake["map"].analyses[0]
    >>> len(analysis.positions), analysis.instrument
    (12, 'JXA-8530F')
    """

    def _holds(self) -> Iterator[str]:
        yield counted(len(self.positions), "position")
        images, listed, acquired = len(self.images), len(self.listed(layout.MAP_KEY)), self.acquired_local
        yield counted(images, "image") if images else ""
        yield counted(listed, "map") if listed else ""
        yield "" if acquired is None else clock(acquired)
        yield self.instrument

    def _repr_html_(self) -> str:
        return faces.analysis_html(self)

    @property
    def instrument(self) -> str:
        """The instrument, `JXA-8530F`; settable."""
        return self._text("instrument")

    @instrument.setter
    def instrument(self, value: str) -> None:
        self.edit(instrument=value)

    @property
    def acquired_local(self) -> datetime | None:
        """The acquisition date; it has no time zone."""
        return read_analysis(self.fields).acquired_local

    @property
    def positions(self) -> Items[Position]:
        """Its positions, in the order listed."""
        return Items(self.group, Position, self.listed("positionUuids"))

    @property
    def images(self) -> Items[Image]:
        """Its images, in the order listed."""
        return Items(self.group, Image, self.listed("imageUuids"))

    @property
    def maps(self) -> tuple[Map, ...]:
        """Its maps: those that it lists in that order, then those that only name it.

        Examples
        --------
        >>> from sxeslake.archive import create_group
        >>> analysis = create_group().add_project("p").add_analysis("Ti map")
        >>> analysis.add_map("stage", (1, 2), name="Ti Ka", channels={"counts": [[3, 4]]})
        <Map "Ti Ka" of new group: stage, 1 × 2, counts>
        >>> len(analysis.maps)
        1
        """
        return self.group.map_index.of(self)

    @property
    def projects(self) -> tuple[Project, ...]:
        """The projects that list it."""
        return self.group.projects_of(self)

    def spectra(self, data_type: str = "qlw", *, background: bool = False) -> Spectra:
        """The spectra of all its positions as one array.

        Parameters
        ----------
        data_type : str
            ``"qlw"`` (float64), ``"spectrum"`` (column sum of `xes`, int64), or another type of float64.
        background : bool
            For ``"spectrum"``: subtract `accumulation` × the stored dark frame.

        Returns
        -------
        Spectra
            `values` has the shape (positions, channels); `warnings` names positions that could not be read.

        Raises
        ------
        NotFoundError
            If no position has such data.
        """
        from sxeslake.archive.spectra.spectra import read_spectra  # noqa: PLC0415 - numpy, as below

        calibrations = tuple(self.group.calibrations())
        return read_spectra(self._measured(), self._members_of, data_type, calibrations, background=background)

    def roi(
        self,
        low: float,
        high: float,
        unit: str = "eV",
        *,
        background: tuple[float, float] | None = None,
        data_type: str = "qlw",
        subtract_background: bool = False,
    ) -> Roi:
        """Integrate a region of interest of every position.

        Parameters
        ----------
        low, high : float
            Both ends of the region, in `unit`.
        unit : {"eV", "Å", "channel"}
            Unit of `low`, `high` and `background`.
        background : tuple of float, optional
            A window beside the region; its mean counts a channel times the region's channels are subtracted.
        data_type : str
            ``"qlw"`` or ``"spectrum"``.
        subtract_background : bool
            For ``"spectrum"``: subtract `accumulation` × the stored dark frame first.

        Returns
        -------
        Roi
            `values` is float64 (positions,); ``.map()`` makes an image where the positions lie on a lattice.

        Raises
        ------
        NotFoundError
            If no position has such data.
        UsageError
            If no axis is known, or the region holds no channel.
        """
        from sxeslake.archive.spectra.roi import integrate  # noqa: PLC0415 - numpy, as above

        return integrate(
            self._measured(), self._members_of, low, high, unit, background=background, data_type=data_type,
            subtract_background=subtract_background, calibrations=tuple(self.group.calibrations()),
        )  # fmt: skip

    def to_xarray(self, *, types: Sequence[str] | None = None, lattice: bool = True) -> xr.Dataset:
        """Its spectra as a labelled Dataset, read only when they are used.

        Parameters
        ----------
        types : sequence of str, optional
            Data variables; by default ``"qlw"`` and ``"spectrum"``, as far as there are any.
        lattice : bool
            Arrange a map as (y, x); otherwise, and where positions lie on no lattice, as (position).

        Returns
        -------
        xarray.Dataset
            Variables are float64 of dimensions (position, channel) or (y, x, channel), with stage coordinates in mm,
            wavelength in Å and energy in eV where they are known, and the conditions as attributes. Dask arrays
            where dask is installed.

        Raises
        ------
        MissingExtraError
            If xarray is not installed.
        NotFoundError
            If it has no positions, or none with such data.

        Examples
        --------
        >>> lake["ti-map"].analyses[0].to_xarray().qlw.dims  # doctest: +SKIP
        ('y', 'x', 'channel')
        """
        from sxeslake.archive.spectra.dataset import dataset_of  # noqa: PLC0415 - numpy, as above

        title = f"{self.group.name}: {self.name or self.uuid[:8]}"
        calibrations = tuple(self.group.calibrations())
        found: xr.Dataset = dataset_of(
            self._measured(), self._members_of, calibrations, title=title, types=types, lattice=lattice
        )
        return found

    def _measured(self) -> Iterator[Measured]:
        from sxeslake.archive.spectra.measured import of_analysis  # noqa: PLC0415 - as above

        return of_analysis(self)

    def _members_of(self, _row: Measured) -> MemberSource:
        return self.group.edited

    def add_position(
        self,
        *,
        condition: Mapping[str, object] | bytes | str,
        state: Mapping[str, object],
        arrays: Mapping[str, ArrayLike] | None = None,
        raw: Mapping[str, bytes] | None = None,
        background: NDArray[np.integer] | bytes | str | None = None,
        raw_condition: Mapping[str, object] | bytes | str | None = None,
        comment: str = "",
        operator: str = "",
        uuid: str | None = None,
    ) -> Position:
        """Add a position. `arrays={"xes": …, "qlw": …}`; a condition is JSON, exact bytes, or an id of the group.

        Parameters
        ----------
        condition : mapping, bytes or str
            Its JSON, exact bytes, or the id of one that the group has.
        state : mapping
            ``state.json``.
        arrays : mapping of str to array, optional
            By data type: ``xes`` (17, 2049) uint32, ``qlw`` (4095,) float64, both in counts.
        raw : mapping of str to bytes, optional
            By data type: exact bytes.
        background : array, bytes or str, optional
            A dark frame (17, 2049) in counts, exact bytes, or the id of one that the group has.
        raw_condition : mapping, bytes or str, optional
            As `condition`.
        comment, operator : str
            What people say of it, and who measured it.
        uuid : str, optional
            Its id; a new one by default.

        Returns
        -------
        Position
            The new one.
        """
        info: dict[str, object] = {"comment": comment, "operator": operator}
        position = adding.add_item(self, Position, info, state, condition, raw_condition, background, uuid)
        for data_type, values in (arrays or {}).items():
            position.set_array(data_type, values)
        for data_type, data in (raw or {}).items():
            position.set_raw(data_type, data)
        return position

    def add_map(
        self,
        kind: MapKind,
        shape: Sequence[int] | None = None,
        *,
        name: str = "",
        comment: str = "",
        order: PointOrder = "row",
        frame: MapFrame | None = None,
        positions: Sequence[Position | str | None] | None = None,
        xy: ArrayLike | None = None,
        state: Mapping[str, object] | Position | None = None,
        channels: Mapping[str, ArrayLike] | None = None,
        more: Mapping[str, Any] | None = None,
        uuid: str | None = None,
    ) -> Map:
        """Add a map: a raster, a line or any points; of positions, channels or both.

        Parameters
        ----------
        kind : {"stage", "beam", "line", "free"}
            How its points came about: moving the stage, deflecting the beam, along a line, anywhere.
        shape : sequence of int, optional
            Rows and columns of a raster, else the number of points; by default as many as `positions` or `xy`.
        name, comment : str
            What people call it, and say of it.
        order : {"row", "column"}
            Whether points are counted row by row, or column by column. Arrays are stored in that order.
        frame : MapFrame, optional
            Where a raster lies.
        positions : sequence of Position, str or None, optional
            The position of each point, in the order of points; None where a point has none.
        xy : array_like, optional
            Coordinates of each point in mm: (points, 2), or (points, 3) with z.
        state : mapping or Position, optional
            Its `state.json`, or the position whose state is that of the map.
        channels : mapping, optional
            Name of each channel and its values; see also `Map.add_channel`.
        more : mapping, optional
            Fields of `map.json` that are not named here.
        uuid : str, optional
            Its id; a random one by default.

        Returns
        -------
        Map

        Raises
        ------
        UsageError
            If positions, coordinates or channels do not fit the shape, or the group has no such position.

        Examples
        --------
        >>> from sxeslake.archive import MapFrame, create_group
        >>> analysis = create_group().add_project("p").add_analysis("Ti map")
        >>> frame = MapFrame("stage", "mm", origin=(1.0, 2.0), step=((0.5, 0.0), (0.0, 0.25)))
        >>> made = analysis.add_map("stage", (2, 2), frame=frame, channels={"Ti Ka": [[1, 2], [3, 4]]})
        >>> made.xy.tolist()
        [[1.0, 2.0], [1.5, 2.0], [1.0, 2.25], [1.5, 2.25]]
        """
        return maps.add_map(
            self, kind, shape, name=name, comment=comment, order=order, frame=frame, positions=positions, xy=xy,
            state=state, channels=channels or {}, more=more, uuid=uuid,
        )  # fmt: skip

    def add_image(
        self,
        picture: bytes,
        image_type: str,
        *,
        condition: Mapping[str, object] | bytes | str,
        state: Mapping[str, object] | None = None,
        raw_condition: Mapping[str, object] | bytes | str | None = None,
        comment: str = "",
        uuid: str | None = None,
    ) -> Image:
        """Add a picture, `add_image(data, "bmp", condition=…)`.

        Parameters
        ----------
        picture : bytes
            The file.
        image_type : str
            Its suffix, ``bmp``.
        condition : mapping, bytes or str
            Its JSON, exact bytes, or the id of one that the group has.
        state : mapping, optional
            ``state.json``.
        raw_condition : mapping, bytes or str, optional
            As `condition`.
        comment : str
            What people say of it.
        uuid : str, optional
            Its id; a new one by default.

        Returns
        -------
        Image
            The new one.
        """
        info: dict[str, object] = {"comment": comment, "imageType": image_type}
        image = adding.add_item(self, Image, info, state or {}, condition, raw_condition, None, uuid)
        image.write(f"image.{image_type}", picture)
        return image

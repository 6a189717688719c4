"""The verbs of a lake that ask and annotate, apart from the others: what `Lake` inherits.

lake.query("maps-by-beam-condition", kv=5, grating="JS300N").df()
lake.positions(current_na="90..110", text="CuFeS2").rows()
lake.sql("SELECT grating, count(*) AS maps FROM analyses WHERE kind = 'map' GROUP BY grating")
lake.annotate("ti-grains", role="standard", material="TiN")
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from sxeslake.errors import InputError, NotFoundError
from sxeslake.model import DOCUMENT_BYTES
from sxeslake.text.html import Rows
from sxeslake.vault import refs
from sxeslake.version import TOOL

if TYPE_CHECKING:
    from sxeslake.catalog.catalog import Annotated, Catalog, CheckpointReport
    from sxeslake.catalog.measurement import Conditions, MeasuredAnalysis
    from sxeslake.catalog.model import MakeProgress
    from sxeslake.catalog.query.header import Query
    from sxeslake.catalog.query.result import Result
    from sxeslake.catalog.query.sandbox import SandboxLimits
    from sxeslake.catalog.schema.registry import Table
    from sxeslake.catalog.store.comparison import Rebuilt
    from sxeslake.filter_words import FilterWords
    from sxeslake.vault.vault import Vault

# The engine is imported by the verbs that need it: `ls` on a thin laptop must not wait for DuckDB.


_NOTHING: Mapping[str, object] = MappingProxyType({})

_MethodT = TypeVar("_MethodT", bound=Callable[..., Any])

_FILTERS = """
        Parameters
        ----------
        kv : number, str or tuple, in kV
            Accelerating voltage: `5` (± 0.05), `"4.9..5.1"`, `"5±0.1"`, `(4.9, None)`.
        current_na, target_current_na : number, str or tuple, in nA
            Probe current as measured, and as it was set: `100` (± 5 %), `"90..110"`, `"0.1 µA"`.
        grating, spectrometer, instrument : str or list of str
            `"JS300N"`, `"JS*"`, `["JS300N", "JS50*"]`: any of them; case does not matter.
        operator, project : str or list of str
            The name, or a part of it.
        sample : str or list of str
            The sample's name, or a pattern, `"2018/*"`.
        text : str or list of str
            Words that all occur in names, comments, operator, project or sample.
        kind : str or list of str
            `"point"`, `"repeat"`, `"line"`, `"map"`, `"points"`; `"any"` lifts a question's own choice.
        accumulation : number, str or tuple, in frames
            Summed frames.
        type : str or list of str
            Data types that must be there: `"xes"`, `"qlw"`, `"sum"`.
        min_positions : int
            Analyses of at least N positions.
        since, until : str, date or datetime
            Acquired on or after, on or before: `"2018-04"`, `"yesterday"`, `datetime.date(2018, 4, 12)`.
        annotation : str or list of str
            Annotations: `"role=standard"`, `"material=Ti*"`, or a key alone.
        copies : bool
            Show every copy of a measurement; otherwise each measurement comes once.
        match : "all" or "any"
            Whether all positions of an analysis must fit, or one.
        kv_tolerance : number, in kV
            Tolerance of a single accelerating voltage.
        current_tolerance : number, in percent
            Tolerance of a single current.

        Raises
        ------
        UsageError
            For an unknown filter, or a value that cannot be read, with what was meant.
"""


def _with_filters(method: _MethodT) -> _MethodT:
    """Put the filters into the method's help, before its example."""
    if method.__doc__:
        text, heading, example = method.__doc__.partition("\n        Examples\n")
        method.__doc__ = f"{text.rstrip()}\n{_FILTERS}{heading}{example}"
    return method


class CatalogVerbs:
    """Query, find, sql, annotate, and what keeps the catalogue.

    Words of a query are its own parameters and the shared filters, as on the command line: `kv=5`, `kv="4.9..5.1"`,
    `kv=(4.9, None)`, `grating=["JS300N", "JS50*"]`, `since="2018-04"`. A result has all its rows when it is handed
    out; with `stream=True` it reads them as they are asked for, once, while the lake is open.
    """

    _vault: Vault
    _catalog: Catalog | None = None
    _catalog_lock = threading.Lock()
    _make_progress: MakeProgress | None = None

    def show_progress(self, make: MakeProgress) -> None:
        """Show whoever waits for a question that the catalogue is catching up with the log; `make` makes a `Progress`.

        Interrupted, it goes on from there with the next question.

        Examples
        --------
        >>> lake.show_progress(lambda: None)
        """
        self._make_progress = make

    def query(
        self,
        name: str,
        words: Mapping[str, object] = _NOTHING,
        /,
        *,
        limit: int | None = None,
        queries: Sequence[str | Path] = (),
        limits: SandboxLimits | None = None,
        stream: bool = False,
        **more: object,
    ) -> Result:
        """The answer to a question of the library, or of a folder of one's own in `queries`.

        A folder's SQL runs like `sql`: it reads the catalogue and nothing else, under `limits` of time and memory.

        Raises NotFoundError for an unknown query, UsageError for an unknown or unreadable word, with near misses.

        Examples
        --------
        >>> lake.query("maps-by-beam-condition", kv=5).rows()[0]["sample"]
        'map'
        """
        folders = [Path(folder) for folder in queries]
        result = self._asked().query(name, {**words, **more}, folders=folders, limit=limit, limits=limits)
        return result if stream else _kept(result)

    @_with_filters
    def maps(self, **filters: Unpack[FilterWords]) -> Result:
        """Maps whose positions all fit; one row a map, newest first.

        Examples
        --------
        >>> import sxeslake
        >>> with sxeslake.open("lake") as lake:
        ...     [row["positions"] for row in lake.maps(kv=5, current_na="90..110")]
        [12]
        """
        return self.query("maps-by-beam-condition", filters)

    @_with_filters
    def positions(self, **filters: Unpack[FilterWords]) -> Result:
        """Positions that fit; one row a position.

        Examples
        --------
        >>> import sxeslake
        >>> with sxeslake.open("lake") as lake:
        ...     len(lake.positions(kv=(4, 6), grating="JS*"))
        12
        """
        return self.query("positions-by-condition", filters)

    @_with_filters
    def find(self, text: str, /, **filters: Unpack[FilterWords]) -> Result:
        """Names, comments, operators, projects, paths, annotations and documents that hold all the words.

        Examples
        --------
        >>> import sxeslake
        >>> with sxeslake.open("lake") as lake:
        ...     len(lake.find("map", kv=5)) > 0
        True
        """
        return self.query("find-text", {**filters, "text": text})

    @_with_filters
    def conditions(self, **filters: Unpack[FilterWords]) -> Result:
        """Each condition's values, and how many positions, archives and samples have them.

        Examples
        --------
        >>> import sxeslake
        >>> with sxeslake.open("lake") as lake:
        ...     "JS300N" in [row["value"] for row in lake.conditions(kv=5)]
        True
        """
        return self.query("condition-values", filters)

    def sql(
        self, text: str, /, *, limits: SandboxLimits | None = None, stream: bool = False, **parameters: object
    ) -> Result:
        """The answer to one SELECT over the catalogue's tables; `$name` in it is bound to the parameter of that name.

        It runs in a child process that reads the catalogue and nothing else, under `limits` of time and memory.

        Examples
        --------
        >>> lake.sql("SELECT count(*) AS n FROM positions WHERE grating = $g", g="JS300N").rows()
        [{'n': 12}]
        """
        result = self._asked().sql(text, parameters, limits=limits)
        return result if stream else _kept(result)

    def measurement(self, ref: str) -> Rows[MeasuredAnalysis]:
        """The analyses of a version: kind, positions, beam, detector, time, people; none if it is no measurement.

        Examples
        --------
        >>> [(row.kind, row.positions) for row in lake.measurement("map")]
        [('map', 12)]
        """
        from sxeslake.catalog.measurement import analyses_of

        version = refs.find(self._vault.state, ref)
        return Rows(analyses_of(self._asked().database().table, version.sample, version.version))

    def conditions_of_samples(self) -> dict[tuple[str, int], Conditions]:
        """By sample and version: the voltages, currents and gratings that occur in it, and when it was begun.

        Examples
        --------
        >>> lake.conditions_of_samples()["map", 1].accelerating_voltages_kv
        (5.0,)
        """
        from sxeslake.catalog.measurement import all_conditions

        return all_conditions(self._asked().database().table)

    def queries(self, folders: Sequence[str | Path] = ()) -> Rows[Query]:
        """The questions there are: name, title, help, parameters.

        Examples
        --------
        >>> "maps-by-beam-condition" in [query.name for query in lake.queries()]
        True
        """
        from sxeslake.catalog.query import library

        return Rows(library.load([Path(folder) for folder in folders]))

    def schema(self, table: str | None = None) -> list[Table]:
        """The catalogue's tables, or one of them: columns with type, unit, source field and conversion.

        Examples
        --------
        >>> lake.schema("positions")[0].column("probe_current_na").unit
        'nA'
        """
        from sxeslake.catalog.schema.tables import BY_NAME, TABLES
        from sxeslake.text.suggest import did_you_mean

        if table is None:
            return list(TABLES)
        if table not in BY_NAME:
            raise NotFoundError(f'there is no table "{table}".', hint=did_you_mean(table, BY_NAME))
        return [BY_NAME[table]]

    def annotate(
        self,
        ref: str,
        values: Mapping[str, object] = _NOTHING,
        /,
        *,
        analysis: str | None = None,
        position: str | None = None,
        message: str | None = None,
        **more: object,
    ) -> Annotated:
        """Say `key=value` of a sample, a version (`name@2`), an analysis or a position; None or "" takes a key back.

        Who and when are kept with it; the archive is not touched. Raises NotFoundError for a place that is not there.

        Examples
        --------
        >>> lake.annotate("map", role="standard").commit
        2
        >>> lake.show("map").annotations[0].value
        'standard'
        """
        from sxeslake.catalog.remarks import Remark, checked

        remark = Remark(ref, checked({**values, **more}), analysis, position)
        return self._asked().annotate([remark], tool=TOOL, message=message)

    def annotate_csv(self, path: str | Path, *, message: str | None = None) -> Annotated:
        """Annotate by a table: `sample`, perhaps `analysis` and `position`, then a column a key, in one commit.

        Examples
        --------
        >>> from pathlib import Path
        >>> written = Path("said.csv").write_text("sample,role\\nmap,standard\\n")
        >>> len(lake.annotate_csv("said.csv").annotations)
        1
        """
        from sxeslake.catalog.remarks import parse_csv

        try:
            text = Path(path).read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"this table is not UTF-8 text: byte {error.start}.", where=path) from None
        except OSError as error:
            raise NotFoundError(f"this table cannot be read: {error.strerror}.", where=path) from None
        return self._asked().annotate(parse_csv(text, path), tool=TOOL, message=message)

    def checkpoint(self) -> CheckpointReport:
        """Publish the log and the catalogue of the newest commit, so that new clients start from them.

        Examples
        --------
        >>> lake.checkpoint().commit
        1
        """
        return self._asked().checkpoint()

    def rebuild_catalog(self) -> Rebuilt:
        """Rebuild the catalogue from the log and the packs, and say whether the one that was here is equal to it.

        Examples
        --------
        >>> lake.rebuild_catalog().equal
        True
        """
        return self._asked().rebuild()

    def _asked(self) -> Catalog:
        """The catalogue, opened by the first question."""
        from sxeslake.catalog.catalog import Catalog
        from sxeslake.catalog.model import no_progress

        with self._catalog_lock:
            if self._catalog is None:
                self._catalog = Catalog(
                    self._vault,
                    time_zones=self._time_zones(),
                    progress=self._make_progress or no_progress,
                    document_bytes=self._document_bytes(),
                )
            return self._catalog

    def _time_zones(self) -> Mapping[str, str]:
        """Time zone by instrument; `Lake` takes them from the user's settings."""
        return {}

    def _document_bytes(self) -> int:
        """The longest document that the catalogue reads; `Lake` takes it from the user's settings."""
        return DOCUMENT_BYTES

    def _close_catalog(self) -> None:
        if self._catalog is not None:
            self._catalog.close()
            self._catalog = None


def _kept(result: Result) -> Result:
    """The result with all its rows, or with the reason why there are none: it outlives the lake's being open."""
    if not len(result.arrow()):
        _ = result.why_empty  # which asks the lake
    return result

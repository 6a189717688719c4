"""Cameca PeakSight (SX50, SX100, SXFive): `.wdsDat` of scans, `.impDat` of images and maps, `.qtiDat` of points."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath

import numpy as np

from ..peaksight import (
    IMAGE,
    KINDS,
    MAGIC,
    POINT_COLUMNS,
    QUANTI,
    WDS,
    PeakSightDataset,
    PeakSightFile,
    PeakSightSignal,
    PointTime,
    point_values,
    read_peaksight,
)
from ..quant import SCHEMA
from ..rasters import named_apart
from ..reading import head_of
from ..records import (
    AnalysisRecord,
    ArrayRecord,
    AxisRecord,
    ChannelRecord,
    DocumentRecord,
    Finding,
    Json,
    MapRecord,
    PositionRecord,
    Warned,
)
from ..texts import Warn
from ..tree import Tree
from ..values import scaled, state_of, stated, wds_condition, written

_SYMBOL_WORDS = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb "
    "Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu "
    "Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm "
)
_SYMBOLS = _SYMBOL_WORDS.split()
_LINES = {1: "Kb", 2: "Ka", 6: "Lg1", 10: "Lb2", 12: "Lb3", 13: "Lb4", 14: "Lb", 15: "La", 17: "Ll", 18: "Mg"} | {
    19: "Mb", 20: "Ma", 21: "Mz"
}  # fmt: skip
_VIDEO = {0: "SE", 2: "BSE", 3: "absorbed current", 5: "CL"}
_COMPUTED = {2: "EDS", 13: "weight", 14: "atomic", 15: "sum", 16: "age", 17: "oxide"}
_PHA = ("hv", "gain", "deadTime", "base", "window", "mode")
_PHA_MODES = ("Int", "Dif", "Dif auto")
_PIXELS = {0: "|u1", 7: "<f4", 8: "<u4"}
_SETUPS = "setups, calibrations and overlap tables are kept and not read"


class PeakSight:
    """A file, an analysis each; a data set of scans or points is positions, one of images is maps."""

    name = "peaksight"
    title = "Cameca PeakSight results (.wdsDat, .impDat, .qtiDat)"
    verified = (
        "By a published description of the layout only, on files made from it: no real file was at hand. Data sets are "
        "read up to the first version or kind that is not known, and the file is kept as it is. Currents are taken as "
        "nA, times as they stand; the order of rows and the place of a raster are not known."
    )

    def classify(self, tree: Tree) -> Iterable[Finding]:
        """Files of that magic."""
        for path in tree.sizes:
            head = head_of(tree, path, 8)
            if len(head) == 8 and head[1:4] == MAGIC and head[0] in KINDS:
                yield Finding(self.name, path, f"Cameca PeakSight: {KINDS[head[0]]}", 0.95, (path,))

    def read(self, tree: Tree, finding: Finding, warn: Warn) -> Iterator[AnalysisRecord]:
        """What of the file is known."""
        path = finding.files[0]
        try:
            file = read_peaksight(tree, path)
        except (ValueError, OSError) as error:
            warn(Warned(path, f"{error}; the file is kept as an original"))
            return
        if file.kind not in (WDS, IMAGE, QUANTI):
            warn(Warned(path, f"it holds {KINDS[file.kind]}; {_SETUPS}"))
            return
        if file.odd:
            known = f"its first {len(file.datasets)} data sets are read" if file.datasets else "nothing of it is read"
            warn(Warned(path, f"{file.odd}; {known}, the file is kept as an original"))
        if not file.datasets:
            return
        numbered = [(f"data set {number}", dataset) for number, dataset in enumerate(file.datasets, 1)]
        tables = [(name, dataset, _table(tree, dataset, path, warn)) for name, dataset in numbered
                  if file.kind == QUANTI]  # fmt: skip
        yield AnalysisRecord(
            name=PurePosixPath(path).stem,
            comment=file.comment,
            acquisition_date=_saved(file.datasets[0].times[:1]),
            positions=partial(_points, tables) if file.kind == QUANTI else partial(_scans, numbered, file),
            maps=tuple(found for each in numbered for found in _maps(*each)) if file.kind == IMAGE else (),
            documents=tuple(_document(path, *each) for each in tables),
        )


def _scans(numbered: list[tuple[str, PeakSightDataset]], file: PeakSightFile) -> Iterator[PositionRecord]:
    """A position a data set: a scan a spectrometer."""
    for name, dataset in numbered if file.kind == WDS else ():
        arrays = []
        taken: Counter[str] = Counter()
        for signal in dataset.signals:
            title = f"wds-{signal.channel.spectrometer}" if signal.channel else "wds"
            taken[title] += 1
            again = taken[title]
            arrays.append(_scan(title if again == 1 else f"{title}-{again}", signal))
        yield PositionRecord(
            name=name,
            arrays=tuple(arrays),
            state=_state(dataset, dataset.times[0] if dataset.times else None),
            condition=_condition(dataset),
            raw_condition=_raw(dataset),
            comment=dataset.comment,
        )


def _scan(name: str, signal: PeakSightSignal) -> ArrayRecord:
    start, step, seconds = signal.scan or (0.0, 0.0, 0.0)
    axis = AxisRecord("sin θ × 10⁵", "1", start, step, source="WDS scan") if step else None
    extra = stated({"unit": "cps", "dwellTime": scaled(seconds, 1e3) or None, "title": signal.name})
    if signal.channel and math.isfinite(signal.channel.two_d) and signal.channel.two_d > 0:
        extra["crystal"] = {"name": signal.channel.crystal, "twoD": signal.channel.two_d, "k": signal.channel.k}
    return ArrayRecord(name, "<f4", (signal.shape[1],), span=signal.frames[0], axis=axis, extra=extra)


def _maps(name: str, dataset: PeakSightDataset) -> Iterator[MapRecord]:
    """Pictures of one size are one map; each tile of a mosaic is one of its own."""
    kind = "line" if dataset.kind in (1, 2) else "stage" if dataset.kind in (3, 5) else "beam"
    groups: dict[tuple[tuple[int, int], int], list[ChannelRecord]] = {}
    for signal in dataset.signals:
        for number, frame in enumerate(signal.frames):
            is_tile = dataset.tiles > 1
            array = ArrayRecord("counts", _PIXELS[signal.pixel], signal.shape, span=frame)
            title = _title(signal) if is_tile or number == 0 else f"{_title(signal)} frame {number}"
            channel = ChannelRecord(title, array, _info(signal), _condition(replace(dataset, signals=[signal])))
            groups.setdefault((signal.shape, number if is_tile else 0), []).append(channel)
    for (shape, tile), channels in groups.items():
        words = [name, f"tile {tile + 1}" if dataset.tiles > 1 else "", "×".join(map(str, shape))]
        yield MapRecord(
            name=" ".join(filter(None, words[: 2 if len({key[0] for key in groups}) == 1 else 3])),
            kind=kind,
            shape=shape,
            channels=named_apart(channels),
            state=_state(dataset, dataset.times[0] if dataset.times else None),
            comment=dataset.comment,
        )


def _table(tree: Tree, dataset: PeakSightDataset, path: str, warn: Warn) -> np.ndarray:
    """The values of all points: f64 (points, signals, columns); NaN where they are not known."""
    values = np.full((dataset.count, len(dataset.signals), len(POINT_COLUMNS)), np.nan)
    for number, signal in enumerate(dataset.signals):
        try:
            values[:, number] = point_values(tree, signal)
        except (ValueError, OSError) as error:
            warn(Warned(path, f"{_title(signal)}: {error}; its values are left out"))
    values[~np.isfinite(values)] = np.nan
    return values


def _points(tables: list[tuple[str, PeakSightDataset, np.ndarray]]) -> Iterator[PositionRecord]:
    """A position a point, with a row a signal."""
    columns = [{"name": name, "unit": unit} for name, unit in POINT_COLUMNS]
    for name, dataset, values in tables:
        condition, raw = _condition(dataset), _raw(dataset)
        rows = [_title(signal) for signal in dataset.signals]
        for number in range(dataset.count):
            point = values[number].astype("<f8")
            time = dataset.times[number] if number < len(dataset.times) else None
            current = next((value for value in point[:, 0] if value > 0), None) if len(point) else None
            yield PositionRecord(
                name=f"{name} point {number + 1}",
                arrays=(
                    ArrayRecord("quant", "<f8", point.shape, load=partial(np.array, point),
                                extra={"rows": rows, "columns": columns}),
                ),
                state=_state(dataset, time, current),
                condition=condition,
                raw_condition=raw,
                comment=dataset.comment,
            )  # fmt: skip


def _document(path: str, name: str, dataset: PeakSightDataset, values: np.ndarray) -> DocumentRecord:
    data: Json = {
        "source": path,
        "columns": [{"name": column, "unit": unit} for column, unit in POINT_COLUMNS],
        "points": [
            {
                "name": f"{name} point {number + 1}",
                "comment": dataset.comment,
                "elements": [_title(signal) for signal in dataset.signals],
                "standards": [signal.standard for signal in dataset.signals],
                "values": [[None if math.isnan(value) else value for value in row] for row in point.tolist()],
            }
            for number, point in enumerate(values)
        ],
    }
    return DocumentRecord(SCHEMA, data, tuple(point["name"] for point in data["points"]))


def _state(dataset: PeakSightDataset, time: PointTime | None, current: float | None = None) -> Json:
    """Stage in mm: of the point where it has its own, else of the data set."""
    place = time.place if time is not None and any(time.place) else dataset.place
    first = next((signal for signal in dataset.signals if 0 < signal.kilovolts <= 100), None)
    target = first.current if first and 0 < first.current < 1e6 else None
    return state_of(
        saved=_saved([time] if time else []),
        stage=[scaled(value, 1e-3) for value in place],
        kilovolts=f"{first.kilovolts:.9g}" if first else None,
        current=None if current is None else f"{scaled(current, 1e-9):.9g}",
        current_target=None if target is None else f"{scaled(target, 1e-9):.9g}",
    )


def _saved(times: list[PointTime]) -> str:
    return written(times[0].time) if times else ""


def _condition(dataset: PeakSightDataset) -> Json:
    """The spectrometers of a data set."""
    found = [_channel(signal) for signal in dataset.signals if signal.channel and signal.source == 1]
    channels = [channel for each in found if each for channel in each["wds"]["channels"]]
    return {"calibrationCoefficients": [], "probe": {}, "wds": {"channels": channels}} if channels else {}


def _channel(signal: PeakSightSignal) -> Json:
    channel = signal.channel
    if channel is None:
        return {}
    shown: Json = stated(
        {
            "spectrometer": channel.spectrometer,
            "crystal": channel.crystal,
            "twoD": channel.two_d if math.isfinite(channel.two_d) and channel.two_d > 0 else None,
            "element": _symbol(channel.atomic_number),
            "line": _LINES.get(channel.line, ""),
            "order": channel.order or None,
            "peak": {"value": channel.peak, "unit": "sin θ × 10⁵"} if channel.peak else None,
        }
    )
    settings = {key: str(value) for key, value in zip(_PHA[:-1], channel.pha, strict=False)}
    mode = channel.pha[len(_PHA) - 1]
    return wds_condition(shown, settings | {"mode": _PHA_MODES[mode] if mode < len(_PHA_MODES) else str(mode)})


def _info(signal: PeakSightSignal) -> Json:
    """What a channel of a map shows."""
    info: Json = {"quantity": "counts" if signal.source in (1, 2) else "signal"}
    if signal.channel:
        found = _channel(signal)["wds"]["channels"][0]
        info |= {key: found[key] for key in ("element", "line", "order") if key in found}
        if signal.source == 1:
            info |= {key: found[key] for key in ("spectrometer", "crystal", "peak") if key in found}
    if signal.dwell_time > 0 and math.isfinite(signal.dwell_time):
        info["dwellTime"] = signal.dwell_time
    step = [value for value in signal.step if math.isfinite(value)]
    return info | ({"step": step} if len(step) == 2 and any(step) else {})


def _title(signal: PeakSightSignal) -> str:
    """`Si Ka`, `BSE`, or the name that the file gives."""
    if signal.source in (3, 18):
        return signal.name or _VIDEO.get((signal.video or 0) & 0xFF, "video")
    words = [_symbol(signal.channel.atomic_number), _LINES.get(signal.channel.line, "")] if signal.channel else []
    known = " ".join(filter(None, [*words, _COMPUTED.get(signal.source, "")]))
    return known or signal.name or f"signal {signal.source}"


def _symbol(number: int) -> str:
    return _SYMBOLS[number - 1] if 0 < number <= len(_SYMBOLS) else ""


def _raw(dataset: PeakSightDataset) -> dict[str, str]:
    return {"setup": dataset.setup} if dataset.setup else {}

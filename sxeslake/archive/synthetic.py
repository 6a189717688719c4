"""A facility that never was: archives from a seed whose noise, strings and sharing are those of real ones.

Fitted to a real archive of 14 positions: ten frames on an offset near 1,147 counts, a fixed pattern of each pixel,
read noise and shot noise, lines and a structured continuum. Codecs find such data as hard as real ones: at 5 kV and
100 nA pco level 8 gives 0.31–0.32 of xes and deflate 0.52–0.54 (real ones 0.30–0.33 and 0.49–0.54).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from sxeslake.archive.container import DEFAULT_LEVEL, create_writer
from sxeslake.archive.sxes import arrays, layout
from sxeslake.archive.sxes.documents.units import a_from_na, mm_from_um
from sxeslake.model import Member

Floats = NDArray[np.float32]

_ROWS: Final = arrays.XES_ROWS
_COLUMNS: Final = arrays.XES_COLUMNS
_OFFSET_COUNTS: Final = 1138.0  # of one frame in row 0
_OFFSET_PER_ROW: Final = 0.95
_PATTERN_COUNTS: Final = 4.3  # pixel to pixel, the same in every frame
_READ_NOISE_COUNTS: Final = 12.0  # of one frame
_COUNTS_PER_PHOTON: Final = 4.5  # variance of shot noise ÷ signal
_EXPOSURE_S: Final = 30


@dataclass(frozen=True, slots=True)
class BeamSetting:
    """How a session was measured: what the queries of a facility look for."""

    accelerating_voltage_kv: float = 5.0
    probe_current_na: float = 100.0
    spectrometer: str = "XES300N"
    grating: str = "JS300N"
    instrument: str = "JXA-8530F"
    ccd_name: str = "C11789-01"
    accumulation: int = 10


@dataclass(frozen=True, slots=True)
class MapPlan:
    """A map to be made. `keep` takes the first positions only; other than by words, equal plans are equal bytes."""

    seed: int
    nx: int
    ny: int
    setting: BeamSetting = BeamSetting()
    step_um: float = 5.0
    origin_mm: tuple[float, float, float] = (2.9855, -1.145, 10.764)
    project: str = "synthetic"
    sample: str = "CuFeS2"
    comment: str = ""
    operator: str = ""
    acquired: datetime = datetime(2019, 3, 14, 9, 26, 53)
    keep: int | None = None

    @property
    def count(self) -> int:
        """How many positions it has."""
        return self.nx * self.ny if self.keep is None else min(self.keep, self.nx * self.ny)


def synthetic_map(
    seed: int, nx: int, ny: int, *, setting: BeamSetting | None = None, keep: int | None = None, sample: str = "CuFeS2"
) -> Iterator[tuple[Member, bytes]]:
    """Members of a map of nx × ny positions with their bytes, in path order; 100,000 positions need no memory.

    `for member, data in synthetic_map(7, 50, 50): writer.add(member, [data])`

    Parameters
    ----------
    seed : int
        Chooses the data.
    nx, ny : int
        Positions of the map.
    setting : BeamSetting, optional
        Voltage, current, grating.
    keep : int, optional
        Only the first so many positions.
    sample : str
        The sample's name.

    Returns
    -------
    iterator of (Member, bytes)
        In path order.
    """
    return map_members(MapPlan(seed, nx, ny, setting=setting or BeamSetting(), keep=keep, sample=sample))


def map_members(plan: MapPlan) -> Iterator[tuple[Member, bytes]]:
    """Members of a planned map with their bytes, in path order."""
    optics = _Optics(plan)
    condition, raw_condition = _json(_condition(plan)), _json(_RAW_CONDITION)
    shared = [_sha(optics.background), _sha(condition), _sha(raw_condition)]
    start_ns = _ns(plan.acquired)
    yield _member(f"{layout.BACKGROUNDS}/{shared[0]}", optics.background, start_ns)
    yield _member(f"{layout.CONDITIONS}/{shared[1]}.json", condition, start_ns)
    by_place = [_uuid(plan.seed, "position", number) for number in range(plan.count)]
    for uuid, number in sorted((uuid, number) for number, uuid in enumerate(by_place)):
        folder, saved = (
            layout.item_folder(layout.DATA, uuid),
            plan.acquired + timedelta(seconds=_EXPOSURE_S * (number + 1)),
        )
        saved_ns = _ns(saved)
        xes = optics.measure(number)
        yield _member(folder + layout.INFO, _json(_info(plan, number, uuid, shared)), saved_ns)
        yield _member(folder + "qlw.data", optics.qlw(xes), saved_ns)
        yield _member(folder + layout.STATE, _json(_state(plan, number, saved)), saved_ns)
        yield _member(folder + "sum.data", arrays.sum_bytes(xes), saved_ns)
        yield _member(folder + "xes.data", xes.tobytes(), saved_ns)
    yield _member(layout.METADATA, _json(_metadata(plan, by_place)), start_ns)
    yield _member(f"{layout.RAW_CONDITIONS}/{shared[2]}.json", raw_condition, start_ns)


def synthetic_facility(folder: str | Path, seed: int = 1, *, nx: int = 8, ny: int = 6) -> list[Path]:
    """Archives that overlap as a facility's do.

    A map; the same map saved again under another name, and in the other container; a subset of it; the session
    with a new comment; and sessions at other voltages, currents and gratings, which share nothing with it.

    Parameters
    ----------
    folder : path
        Where they are made.
    seed : int
        Chooses the data.
    nx, ny : int
        Positions of the map.

    Returns
    -------
    list of Path
        The archives.
    """
    root = Path(folder)
    first = MapPlan(seed, nx, ny, project="chalcopyrite", comment="map of a grain boundary", operator="A. Miner")
    second = MapPlan(
        seed + 1, nx, max(1, ny // 2), project="steel", sample="Fe3C", comment="carbide", operator="B. Smith",
        setting=BeamSetting(10.0, 50.0), acquired=datetime(2020, 6, 2, 14, 5, 0),
    )  # fmt: skip
    third = MapPlan(
        seed + 2, 1, 5, project="standards", sample="Si3N4", comment="standards", operator="B. Smith",
        setting=BeamSetting(15.0, 20.0, "XES2000", "JS2000"), step_um=10.0, acquired=datetime(2021, 9, 30, 8, 0, 0),
    )  # fmt: skip
    recommented = replace(first, comment="map of a grain boundary, after repolishing", operator="A. Miner, B. Smith")
    archives: tuple[tuple[str, MapPlan], ...] = (
        ("2019/chalcopyrite map.plzip", first),
        ("2019/chalcopyrite map.pl7z", first),
        ("2019/chalcopyrite recommented.plzip", recommented),
        ("2019/chalcopyrite subset.plzip", replace(first, keep=max(1, first.count // 3))),
        ("2020/steel carbide.plzip", second),
        ("2021/standards.pl7z", third),
        ("backup/map copy 2.plzip", first),
    )
    return [write_archive(root / name, map_members(plan)) for name, plan in archives]


def write_archive(path: Path, members: Iterable[tuple[Member, bytes]], *, level: int = DEFAULT_LEVEL) -> Path:
    """Write members as the container that the suffix names, `.plzip` or `.pl7z`."""
    kind: Literal["zip", "7z"] = "7z" if path.suffix in {".pl7z", ".7z"} else "zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        writer = create_writer(out, kind, level=level)
        for member, data in members:
            writer.add(member, [data])
        writer.close()
    return path


class _Optics:
    """The camera's offset and the spectra of three phases, made once for a map; then one image a position."""

    def __init__(self, plan: MapPlan) -> None:
        rng = np.random.default_rng([plan.seed, 1])
        self._plan = plan
        # The window sums all frames; the last row and column hold one.
        frames = np.full((_ROWS, _COLUMNS), plan.setting.accumulation, np.float32)
        frames[-1, :] = frames[:, -1] = 1
        offset = _offset(rng)
        self._dark = frames * offset
        self._dark_variance = frames * np.float32(_READ_NOISE_COUNTS**2)
        self._full = frames * np.float32(arrays.FULL_SCALE)
        brightness = plan.setting.probe_current_na / 100 * (plan.setting.accelerating_voltage_kv / 5) ** 0.7
        self._phases = [frames * np.float32(brightness) * _phase(rng) for _ in range(3)]
        self._waves = rng.uniform(0.05, 0.4, (3, 2)), rng.uniform(0, 6.3, 3)
        noise = rng.standard_normal(offset.shape, dtype=np.float32) * np.float32(_READ_NOISE_COUNTS)
        background = np.rint(offset + noise).astype("<u4")
        self.background = arrays.background_bytes(background)
        self._dark_totals = plan.setting.accumulation * arrays.signal(background).sum(axis=0, dtype=np.float64)
        self._columns = arrays.qlw_columns()

    def measure(self, number: int) -> NDArray[np.uint32]:
        """The image of one position, uint32 (17, 2049); depends on the seed and the number alone."""
        iy, ix = divmod(number, self._plan.nx)
        (waves, shifts) = self._waves
        share = np.exp(1.5 * np.sin(waves[:, 0] * ix + waves[:, 1] * iy + shifts))
        share = (share / share.sum()).astype(np.float32)
        light = share[0] * self._phases[0]
        for part, phase in zip(share[1:], self._phases[1:], strict=True):
            light += part * phase
        rng = np.random.Generator(np.random.SFC64([self._plan.seed, 2, number]))
        image = rng.standard_normal(light.shape, dtype=np.float32)
        spread = np.multiply(light, np.float32(_COUNTS_PER_PHOTON))
        spread += self._dark_variance
        image *= np.sqrt(spread, out=spread)
        image += light
        image += self._dark
        np.clip(np.rint(image, out=image), 0, self._full, out=image)
        counts: NDArray[np.uint32] = image.astype("<u4")
        return counts

    def qlw(self, xes: NDArray[np.uint32]) -> bytes:
        """The corrected spectrum as the vendor would store it: float64 of float32 precision."""
        totals = arrays.signal(xes).sum(axis=0, dtype=np.float64) - self._dark_totals
        spectrum: NDArray[np.float64] = np.interp(self._columns, np.arange(totals.size), totals)
        return spectrum.astype(np.float32).astype("<f8").tobytes()


def _offset(rng: np.random.Generator) -> Floats:
    """One dark frame without noise: a slope over rows, a slow wave over columns, the pixels' own pattern."""
    rows, columns = np.arange(_ROWS)[:, None], np.arange(_COLUMNS)[None, :]
    frame = _OFFSET_COUNTS + _OFFSET_PER_ROW * rows + 8 * np.sin(columns / 700) + 10 * np.exp(-columns / 40)
    frame = frame + rng.normal(0, _PATTERN_COUNTS, frame.shape)
    frame[:, 0] -= 110  # the first column is darker
    return np.asarray(frame, np.float32)


def _phase(rng: np.random.Generator) -> Floats:
    """One frame of a phase's light: lines bent over the rows, a structured continuum, brightest mid-chip."""
    rows, columns = np.arange(_ROWS)[:, None], np.arange(_COLUMNS, dtype=np.float64)[None, :]
    bent = columns - 0.035 * (rows - 8.0) ** 2
    light = np.zeros((_ROWS, _COLUMNS))
    for _ in range(9):
        centre, height = rng.uniform(60, 2000), 10 ** rng.uniform(1.8, 3.6)
        light += height / (1 + ((bent - centre) / rng.uniform(2.5, 18)) ** 2)
    slow, fast = rng.uniform(20, 60), rng.uniform(8, 16)
    level = rng.uniform(200, 400)
    light += level * (0.6 + 0.4 * np.cos(bent / 930)) * (1 + 0.12 * np.sin(bent / slow) + 0.08 * np.sin(bent / fast))
    return (light * (1 + 0.35 * np.exp(-(((rows - 8) / 5) ** 2)))).astype(np.float32)


_RAW_CONDITION: Final[dict[str, object]] = {"dataCondition": {}, "mapCondition": {}, "mapRawCondition": {}}


def _condition(plan: MapPlan) -> dict[str, object]:
    setting = plan.setting
    return {
        "calibrationCoefficients": ["-9.55800e+000", "7.88200e-001", "-1.41500e-002", "9.24900e-005"],
        "probe": {},
        "ccd": {
            "name": setting.ccd_name,
            "model": setting.instrument,
            "spectrometer": setting.spectrometer,
            "grating": setting.grating,
            "mode": 1,
            "accumulation": setting.accumulation,
            "gain": 0,
            "image": {"rotation": 180, "orientation": 1},
            "size": {"x": 2048, "y": 2048},
            "bins": {"x": _ROWS, "y": _COLUMNS - 1},
        },
    }


def _info(plan: MapPlan, number: int, uuid: str, shared: list[str]) -> dict[str, object]:
    setting = plan.setting
    words = f"{plan.sample} {setting.accelerating_voltage_kv:g}kV {setting.probe_current_na:g}nA"
    return {
        "comment": f"{words} : Pos. : {number + 1}",
        "operator": "",
        "backgroundUuid": shared[0],
        "uuid": uuid,
        "conditionUuid": shared[1],
        "rawConditionUuid": shared[2],
    }


def _state(plan: MapPlan, number: int, saved: datetime) -> dict[str, object]:
    iy, ix = divmod(number, plan.nx)
    x_mm, y_mm, z_mm = plan.origin_mm
    step_mm = mm_from_um(plan.step_um) or 0.0
    rng = np.random.Generator(np.random.SFC64([plan.seed, 3, number]))
    current_na = plan.setting.probe_current_na * (1 + 2e-7 * number)
    pre_na, post_na = (current_na * (1 + error) for error in rng.normal(0, 4e-4, 2))
    return {
        "saveDate": saved.strftime("%Y/%m/%d %H:%M:%S"),
        "stage": {
            "x": round(x_mm + ix * step_mm, 4),
            "y": round(y_mm + iy * step_mm, 4),
            "z": z_mm,
            "tilt": [1, 0],
            "rotation": [1, 0],
        },
        "probe": {
            "acceleratingVoltage": f"{plan.setting.accelerating_voltage_kv:.1f}",
            "beam": {"x": "320", "y": "240", "magnification": "20000", "rotation": "0"},
            "current": {
                "target": _amperes(plan.setting.probe_current_na, 2),
                "pre": _amperes(pre_na, 3),
                "average": _amperes((pre_na + post_na) / 2, 3),
                "post": _amperes(post_na, 3),
            },
        },
        "ccd": {"temperature": {"target": "-70", "pre": "-70", "post": "-70"}},
    }


def _metadata(plan: MapPlan, positions: list[str]) -> dict[str, object]:
    analysis, project = _uuid(plan.seed, "analysis", 0), _uuid(plan.seed, "project", 0)
    return {
        "projects": [
            {
                "name": plan.project,
                "comment": "",
                "operator": plan.operator,
                "uuid": project,
                "analysisUuids": [analysis],
            }
        ],
        "analyses": [
            {
                "name": "",
                "acquisitionDate": plan.acquired.strftime("%Y/%m/%d %H:%M:%S"),
                "comment": plan.comment,
                "operator": plan.operator,
                "instrument": plan.setting.instrument,
                "uuid": analysis,
                "positionUuids": positions,
            }
        ],
    }


def _amperes(current_na: float, digits: int) -> str:
    """A current as the instrument writes it: 100.9 → `1.009e-007`, always three digits of exponent."""
    mantissa, _, exponent = f"{a_from_na(current_na):.{digits}e}".partition("e")
    return f"{mantissa}e{exponent[0]}{int(exponent[1:]):03d}"


def _member(path: str, data: bytes, modified_ns: int) -> tuple[Member, bytes]:
    return Member(path, "file", len(data), modified_ns=modified_ns), data


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _ns(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp()) * 1_000_000_000


def _uuid(seed: int, kind: str, number: int) -> str:
    """A uuid of version 4 that the seed decides."""
    digest = hashlib.blake2b(f"{seed}/{kind}/{number}".encode(), digest_size=16).digest()
    return str(UUID(bytes=digest, version=4))

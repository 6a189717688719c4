"""How much time compression may take: the presets that people choose between, as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sxeslake.model import Preset


@dataclass(frozen=True, slots=True)
class Effort:
    """What a preset means for the choice of a pipeline; any reader reads what any of them writes."""

    level: int  # of pco, for numbers
    text_level: int  # of zstd, for text
    worth: float  # a pipeline further down the list takes longer: it must be smaller by this factor
    taps: tuple[int, ...] = (1,)  # neighbours that pco fits weights for
    trims: bool = False  # whether a level lower will do where it costs next to nothing


EFFORTS: Final[dict[Preset, Effort]] = {
    # Below 4, pco's bins are too few: 6 % more bytes at 7 % more speed, and at 1 half as much again.
    "fast": Effort(4, 3, 0.97),
    # On spectra 8 is 0.3 % smaller than 7, at three quarters of its speed; 9 gains another 0.1 % at half of it.
    "balanced": Effort(8, 9, 0.995, trims=True),
    # Weights for four neighbours are worth more than levels above 10, and decode at half the speed of one.
    "small": Effort(10, 19, 0.9999, (1, 2, 4)),
}

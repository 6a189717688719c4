"""Which pipeline for which kind of blob: by trial on the first ones, then kept."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Sequence

from sxeslake.codecs.pco import Pco
from sxeslake.codecs.pipeline import Delta, Pipeline, encode
from sxeslake.codecs.raw import Raw
from sxeslake.codecs.zstd import Zstd


class Chooser:
    """Chooses a pipeline for each kind of blob once; safe to call from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._chosen: dict[Hashable, Pipeline] = {}

    def choose(self, kind: Hashable, samples: Sequence[bytes]) -> Pipeline:
        """The pipeline for that kind: of the trial on these samples, or of an earlier one."""
        chosen = self._chosen.get(kind)
        if chosen is not None:
            return chosen
        with self._lock:
            if kind not in self._chosen:
                self._chosen[kind] = _trial(b"".join(samples))
            return self._chosen[kind]


def _trial(sample: bytes) -> Pipeline:
    candidates = [
        Pipeline(Raw()),
        Pipeline(Zstd(3)),
        Pipeline(Pco("u4", 8)),
        Pipeline(Pco("f8", 8)),
        Pipeline(Pco("u4", 8), delta=Delta(4, 2049)),
        Pipeline(Pco("u4", 8), head=12, tail=12, delta=Delta(4, 2049)),
    ]
    return min(candidates, key=lambda pipeline: len(encode(pipeline, sample)))

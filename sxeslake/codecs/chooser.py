"""Which pipeline for which kind of blob: by trial on the first ones, then kept."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Sequence

from sxeslake.codecs.pipeline import Pipeline
from sxeslake.codecs.trial import best_pipeline


class Chooser:
    """Chooses a pipeline for each kind of blob once; safe to call from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._chosen: dict[Hashable, Pipeline] = {}

    def choose(self, kind: Hashable, samples: Sequence[bytes]) -> Pipeline:
        """The pipeline of that kind: found by trial on these samples, or, from the second call on, the same again."""
        chosen = self._chosen.get(kind)
        if chosen is None:
            # Two threads may try the same kind at once: the first to finish decides, nobody waits for another kind.
            found = best_pipeline(samples)
            with self._lock:
                chosen = self._chosen.setdefault(kind, found)
        return chosen

"""Frames encoded again by another preset: which are worth it, and their new bytes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sxeslake import codecs
from sxeslake.codecs.effort import EFFORTS
from sxeslake.codecs.pco import Pco
from sxeslake.codecs.zstd import Zstd
from sxeslake.format import frame
from sxeslake.model import Preset


class Reframer:
    """Encodes frames by a preset; what does not get smaller stays as it is. Safe to call from many threads."""

    def __init__(self, preset: Preset) -> None:
        self._effort = EFFORTS[preset]
        self._chooser = codecs.Chooser(preset)

    def is_done(self, descriptor: str) -> bool:
        """Whether a frame has been encoded with as much effort, or no effort makes it smaller."""
        coder = codecs.Pipeline.parse(descriptor).coder
        if isinstance(coder, Pco):
            return coder.level >= self._effort.level - self._effort.trims
        return not isinstance(coder, Zstd) or coder.level >= self._effort.text_level

    def reframe(self, descriptor: str, parts: Sequence[bytes], body: bytes) -> bytes:
        """The frame of some blobs, `body` as it stands now: encoded again, decoded and compared, if that is smaller."""
        old, raw = codecs.Pipeline.parse(descriptor), b"".join(parts)
        likeness = _likeness(old), len(raw) if len(parts) == 1 else 0
        if old.sums is None:
            pipeline = self._chooser.choose(likeness, parts)
        else:  # the last blob follows from the one before it
            plain = self._chooser.choose(likeness, parts[:1])
            pipeline = replace(plain, tail=old.tail, sums=old.sums) if not plain.tail else plain
        pipeline, payload = codecs.encode_or_raw(pipeline, raw)
        if codecs.decode(pipeline, payload, len(raw)) != raw:
            return body
        made = frame.seal(pipeline.descriptor, [len(part) for part in parts], payload)
        return made if len(made) < len(body) else body


def _likeness(pipeline: codecs.Pipeline) -> str:
    """What blobs of a kind have in common, as far as a frame tells: how they were encoded, but for levels."""
    coder = pipeline.coder
    kind = coder.element if isinstance(coder, Pco) else coder.name
    return "|".join([kind, str(pipeline.head), *(stage.argument for stage in pipeline.filters)])

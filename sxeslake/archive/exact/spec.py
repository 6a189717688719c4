"""The name of an encoder with all its settings, as a recipe keeps it: `zlib:6:8:0`."""

from __future__ import annotations

from typing import Final, NamedTuple

from sxeslake.errors import UnsupportedMethodError
from sxeslake.model import MIB

MAX_DICTIONARY_BYTES: Final = 1024 * MIB  # a recipe is input too: it must not ask for more memory than this × 12
MAX_BLOCK_BYTES: Final = 64 * MIB
MAX_CHUNK_BYTES: Final = 1 << 40

_LEVEL: Final = range(10)
_FLAG: Final = range(2)
_LZMA: Final = (range(1, 3), _LEVEL, range(MAX_DICTIONARY_BYTES + 1))  # LZMA or LZMA2, level, dictionary
_BITS: Final = (range(9), range(5), range(5))  # lc, lp, pb

FAMILIES: Final[dict[str, tuple[range, ...]]] = {
    "store": (),
    "zlib": (_LEVEL, range(1, 10), range(5)),  # level, memory level, strategy
    "isal": (range(4),),
    "blocks": (_LEVEL, range(1, MAX_BLOCK_BYTES + 1), _FLAG),  # level, block, whether the tail is deflated by itself
    "liblzma": (*_LZMA, *_BITS, _FLAG, _FLAG),  # … "extreme", x86 filter before it
    "lzma2-blocks": (_LEVEL, range(1, MAX_BLOCK_BYTES + 1)),
    "7zip-deflate": (_LEVEL,),
    "7zip-lzma": (*_LZMA, *_BITS, range(MAX_CHUNK_BYTES + 1)),  # … bytes that LZMA2 encodes by themselves, 0: all
    "infozip": (_LEVEL,),
}
PROGRAMS: Final = {"7zip-deflate": "7-Zip", "7zip-lzma": "7-Zip", "infozip": "Info-ZIP's zip"}


class Spec(NamedTuple):
    """An encoder and its settings."""

    family: str
    numbers: tuple[int, ...] = ()

    def __str__(self) -> str:
        return ":".join((self.family, *map(str, self.numbers)))

    @classmethod
    def parse(cls, text: str) -> Spec:
        """`zlib:6:8:0`, checked; UnsupportedMethodError for what is unknown or out of range."""
        family, *words = text.split(":")
        ranges = FAMILIES.get(family)
        plain = all(word.isascii() and word.isdigit() and len(word) < 16 for word in words)
        if ranges is None or not plain or len(words) != len(ranges):
            raise UnsupportedMethodError(f"the encoder {text!r} is unknown", hint="A newer sxeslake may know it.")
        numbers = tuple(map(int, words))
        if any(number not in allowed for number, allowed in zip(numbers, ranges, strict=True)):
            raise UnsupportedMethodError(f"the encoder {text!r} has settings out of range")
        return cls(family, numbers)

    @property
    def program(self) -> str | None:
        """The program that it needs, `7-Zip`; None where this process encodes."""
        return PROGRAMS.get(self.family)


STORE: Final = Spec("store")

"""The decoder of a 7z folder: a chain of stages, each pulling from the one before it.

PackedStream → LZMA2 + BCJ (one liblzma decoder) → Delta → read(4 MiB)
"""

from __future__ import annotations

import lzma
from collections.abc import Callable, Sequence
from typing import Final

from sxeslake.archive.keyring import password_hint
from sxeslake.archive.sevenzip.aes import AES256, Aes
from sxeslake.archive.sevenzip.format import FolderCoder, FolderCoders
from sxeslake.archive.sevenzip.methods import (
    BRANCH_FILTERS,
    BROTLI,
    BZIP2,
    COPY,
    DEFLATE,
    DEFLATE64,
    DELTA,
    LZMA,
    LZMA2,
    PPMD,
    ZSTD,
    Branch,
    Brotli,
    Bzip2Streams,
    DeltaDecoder,
    lzma_decoder,
    ppmd_decoder,
)
from sxeslake.archive.stages import ByteSource, CopyDecoder, Deflate64Decoder, DeflateDecoder, Stage, ZstdDecoder
from sxeslake.errors import DamagedArchiveError, EncryptedArchiveError, UnsupportedMethodError

NAMES_OF_OTHERS: Final = {
    b"\x03\x03\x01\x1b": "BCJ2",
    b"\x02\x03\x02": "Swap2",
    b"\x02\x03\x04": "Swap4",
    b"\x0a": "ARM64",
    b"\x0b": "RISCV",
    b"\x04\xf7\x11\x04": "LZ4",
    b"\x04\xf7\x11\x05": "LZ5",
    b"\x04\xf7\x11\x06": "Lizard",
}
ENCRYPTION_PREFIX: Final = b"\x06"  # 06F10701 is AES-256; the others under it were never in use
PLAIN_STAGES: Final[dict[bytes, Callable[[ByteSource, int], Stage]]] = {
    COPY: CopyDecoder,
    BZIP2: Bzip2Streams,
    DEFLATE: DeflateDecoder,
    DEFLATE64: Deflate64Decoder,
    ZSTD: ZstdDecoder,
    BROTLI: Brotli,
}


def check_supported(recipe: FolderCoders, password: str | None = None) -> None:
    """Refuse, by name, what nobody here can decode."""
    for coder in recipe.coders:
        is_known = coder.method == AES256 and password is not None
        if coder.method.startswith(ENCRYPTION_PREFIX) and not is_known:
            raise EncryptedArchiveError("the archive is encrypted", hint=password_hint())
    for coder in recipe.coders:
        known = coder.method in PLAIN_STAGES or coder.method in BRANCH_FILTERS
        if not known and coder.method not in {AES256, DELTA, LZMA, LZMA2, PPMD}:
            name = NAMES_OF_OTHERS.get(coder.method, f"number {coder.method.hex()}")
            raise UnsupportedMethodError(
                f"the 7z method {name} is not supported", hint="Repack it with another method."
            )
        if (coder.inputs, coder.outputs) != (1, 1):
            raise UnsupportedMethodError(f"the 7z method {coder.method.hex()} with several streams is not supported")


def is_silent(recipe: FolderCoders) -> bool:
    """Whether a folder's decoders take any bytes for data, so that only a CRC tells a wrong password."""
    silent = {AES256, COPY, DELTA, PPMD, *BRANCH_FILTERS}
    return all(coder.method in silent for coder in recipe.coders)


def open_folder(recipe: FolderCoders, sizes: Sequence[int], packed: ByteSource, password: str | None = None) -> Stage:
    """The decoder of one folder; `sizes` are its coders' unpack sizes."""
    check_supported(recipe, password)
    source: ByteSource = packed
    stage: Stage | None = None
    order = _decoding_order(recipe)
    while order:
        index = order.pop(0)
        coder, size = recipe.coders[index], sizes[index]
        if coder.method in {LZMA, LZMA2}:
            stage = lzma_decoder(source, size, coder, _same_pass(recipe, sizes, order, coder, size))
        elif coder.method in BRANCH_FILTERS:
            stage = Branch(source, size, BRANCH_FILTERS[coder.method][1])
        elif coder.method == DELTA:
            stage = DeltaDecoder(source, size, _delta_distance(coder))
        elif coder.method == AES256 and password is not None:
            stage = Aes(source, size, coder, password)
        elif coder.method == PPMD:
            stage = ppmd_decoder(source, size, coder)
        else:
            stage = PLAIN_STAGES[coder.method](source, size)
        source = stage
    if stage is None:
        raise DamagedArchiveError("a folder without coders")
    return stage


def _decoding_order(recipe: FolderCoders) -> list[int]:
    """Coders from the packed stream to the content; simple coders' inputs and outputs bear the coder's own number."""
    following = {output: taker for taker, output in recipe.bonds}
    order = [recipe.packed[0]]
    while order[-1] in following and len(order) <= len(recipe.coders):
        order.append(following[order[-1]])
    if len(recipe.packed) != 1 or len(order) != len(recipe.coders):
        raise DamagedArchiveError("the coders of a folder make no chain")
    return order


def _delta_distance(coder: FolderCoder) -> int:
    if len(coder.properties) != 1:
        raise DamagedArchiveError("the properties of Delta are damaged")
    return coder.properties[0] + 1


def _same_pass(
    recipe: FolderCoders, sizes: Sequence[int], order: list[int], first: FolderCoder, size: int
) -> list[dict[str, int]]:
    """Take from `order` the filters that liblzma runs with the decoder. Not BCJ after LZMA: without an end mark it
    keeps the last bytes back."""
    filters: list[dict[str, int]] = []
    while order and len(filters) < 3 and sizes[order[0]] == size:
        coder = recipe.coders[order[0]]
        if coder.method == DELTA:
            filters.append({"id": lzma.FILTER_DELTA, "dist": _delta_distance(coder)})
        elif coder.method in BRANCH_FILTERS and first.method == LZMA2:
            filters.append({"id": BRANCH_FILTERS[coder.method][0]})
        else:
            break
        order.pop(0)
    return filters

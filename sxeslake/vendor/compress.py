"""Files of compress(1), `.Z`: LZW with codes of 9 to 16 bits, as UNIX workstations of microprobes wrote them."""

from __future__ import annotations

MAGIC = b"\x1f\x9d"
_CLEAR = 256
_FIRST_BITS = 9


def decompressed(data: bytes, limit: int) -> bytes:
    """The content, at most `limit` bytes of it; ValueError where it is no such file, or damaged."""
    if data[:2] != MAGIC or len(data) < 3:
        raise ValueError("no file of compress(1)")
    most_bits, block_mode = data[2] & 0x1F, bool(data[2] & 0x80)
    if not _FIRST_BITS <= most_bits <= 16:
        raise ValueError(f"codes of {most_bits} bits are unknown")
    most_bits = max(most_bits, _FIRST_BITS + 1)  # compress -b 9 widens to ten bits all the same
    singles = [bytes([value]) for value in range(256)]
    table = [*singles, b""] if block_mode else [*singles]
    found: list[bytes] = []
    length, previous, bits = 0, b"", _FIRST_BITS
    group = at = 3 * 8  # in bits: codes come in groups of eight, padded where the width changes
    end = len(data) * 8
    while at + bits <= end and length < limit:
        first = at >> 3
        code = (int.from_bytes(data[first : first + 3], "little") >> (at & 7)) & ((1 << bits) - 1)
        at += bits
        if code == _CLEAR and block_mode:
            del table[257:]
            at, bits, previous = _padded(at, group, bits), _FIRST_BITS, b""
            group = at
            continue
        if code < len(table):
            entry = table[code]
        elif code == len(table) and previous:
            entry = previous + previous[:1]
        else:
            raise ValueError(f"damaged at byte {first}")
        found.append(entry)
        length += len(entry)
        if previous and len(table) < 1 << most_bits:
            table.append(previous + entry[:1])
        previous = entry
        if len(table) >= 1 << bits and bits < most_bits:
            at = _padded(at, group, bits)
            group, bits = at, bits + 1
    return b"".join(found)[:limit]


def _padded(at: int, group: int, bits: int) -> int:
    """The end of the group of eight codes that a place lies in."""
    return group + -(-(at - group) // (bits * 8)) * bits * 8

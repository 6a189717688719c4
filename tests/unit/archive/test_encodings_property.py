"""What the detector is confident of can be decoded."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from sxeslake.archive.encodings import detect


@given(st.binary(max_size=200), st.booleans())
@example(b"\xff\xfe\x00", False)
@example(b"\xef\xbb\xbf\xff", False)
@example(b"a\0b\0c", False)
def test_a_guess_decodes_or_has_no_confidence(data: bytes, dos: bool) -> None:
    guess = detect(data, dos=dos)
    if guess.confidence > 0:
        data.decode(guess.encoding)

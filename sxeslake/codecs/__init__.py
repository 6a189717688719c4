"""Codecs: how the bytes of a frame are made small, exactly and reversibly."""

from sxeslake.codecs.filters import ColumnSums
from sxeslake.codecs.pipeline import RAW, Pipeline, decode, encode, encode_or_raw
from sxeslake.codecs.trial import Chooser

__all__ = ["RAW", "Chooser", "ColumnSums", "Pipeline", "decode", "encode", "encode_or_raw"]

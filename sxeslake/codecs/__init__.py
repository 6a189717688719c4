"""Codecs: how the bytes of a frame are made small, exactly and reversibly."""

from sxeslake.codecs.chooser import Chooser
from sxeslake.codecs.pipeline import Pipeline, decode, encode

__all__ = ["Chooser", "Pipeline", "decode", "encode"]

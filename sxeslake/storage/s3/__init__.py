"""A lake in an S3 bucket, over s3fs. Importing this package loads s3fs, which takes a quarter of a second."""

from __future__ import annotations

from .store import S3Store, open_s3

__all__ = ["S3Store", "open_s3"]

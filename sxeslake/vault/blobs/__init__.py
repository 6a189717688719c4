"""Blobs: where each lies, read by ranges, proved by hash, cached."""

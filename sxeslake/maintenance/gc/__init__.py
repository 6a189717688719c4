"""Garbage collection: what no live version needs is condemned, then deleted."""

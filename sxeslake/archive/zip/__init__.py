"""Zip: read as columns, written in parallel, laid out before it is made."""

"""Assemble: versions of the lake back into archives, folders and members."""

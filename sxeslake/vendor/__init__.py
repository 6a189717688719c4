"""Vendor files of electron microprobes: what they are, and what they hold, without the vendor's software.

`tree` is how readers see files (a folder on disk, or a stored tree); `records` is what they yield, in terms of
neither the vendor nor the archive.
"""

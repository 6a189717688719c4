"""Vendor files of electron microprobes: what they are, and what they hold, without the vendor's software.

`tree` is how readers see files (a folder on disk, or a stored tree); `records` is what they yield, in terms of
neither the vendor nor the archive. `texts` decodes and parses what instruments write as text, `readers` holds a file
a format, and `classify` says of every file which reader takes it, or what it is otherwise. `writing` makes archives of
what readers yield, and gives the vendor's files back.
"""

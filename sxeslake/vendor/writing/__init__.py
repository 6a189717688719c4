"""From the records of readers to an archive: pure planning first, then members whose bytes come as they are asked for.

`documents` makes the JSON of positions, maps and images; `members` names the bytes of each member; `tiling` says which
members a vendor file is made of; `lattices` finds the maps that positions form; `plan` puts an archive together.
`container` reads the plan as any other archive is read; `convert` writes it to a file and proves it; `restoring` gives
the vendor's files back.
"""

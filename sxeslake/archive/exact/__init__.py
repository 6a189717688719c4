"""Exact rebuilds: a *recipe* with which the members of an archive give the original file that they came from.

skeleton.py   which stretches of a file are packed contents (units), of which members, by which method
spec.py       the name of an encoder with all its settings: `zlib:6:8:0`, `7zip-deflate:5`
encoders.py   encoders in this process: zlib, ISA-L, liblzma, and our own writers' way of cutting blocks
programs.py   encoders that are programs, many contents in one call: 7-Zip, Info-ZIP
packing.py    contents in, packed units out, in order, in threads, in bounded memory
trial.py      which encoder made a unit: by trying
recipe.py     the recipe's bytes
proving.py    file → recipe, every unit made again and compared
rebuild.py    members and recipe → file
"""

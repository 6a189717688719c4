"""The JSON members of a group: their text, fields and units, how large they may be, and where positions are listed."""

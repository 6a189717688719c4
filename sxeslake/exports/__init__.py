"""Spectra in the formats of other programs, a file a format; `verbs` has what `Lake` inherits."""

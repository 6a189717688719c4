"""Spectra of many positions at once: read in batches, integrated, as labelled arrays, drawn and exported."""

"""Maps, described arrays, documents and sources: the extensions of the format, beside what older readers know."""

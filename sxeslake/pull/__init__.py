"""Pull: versions of the lake as archives, folders, parts and merged groups."""

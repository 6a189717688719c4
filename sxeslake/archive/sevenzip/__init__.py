"""7z: its header as columns, its folders decoded and encoded in threads."""

"""Files of instruments that the lake holds as they are: read in the lake, and made an archive."""

"""A folder brought up to date with a version."""

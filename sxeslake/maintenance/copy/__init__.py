"""Archives of one lake into another."""

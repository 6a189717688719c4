"""The commands, one file each; `root.SECTIONS` lists them."""

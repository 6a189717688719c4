"""Reading a lake without sxeslake: a script of its own, which every lake carries."""

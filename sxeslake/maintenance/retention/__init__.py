"""Which versions stay, and under which names: forget, restore, tags, holds, rename, tidy."""

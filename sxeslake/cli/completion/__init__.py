"""Completion in shells: the words before the cursor, and what may stand there."""

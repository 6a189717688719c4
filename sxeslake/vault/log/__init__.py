"""The log: read, folded into a state, extended by a commit."""

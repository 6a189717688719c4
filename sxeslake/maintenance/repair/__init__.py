"""Repair of the log, manifests and packs."""

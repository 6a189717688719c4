"""Maintenance: verify, repair, collect, copy, retention, history."""

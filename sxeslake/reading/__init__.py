"""Reading one version: its rows, its members and any part of them as files."""

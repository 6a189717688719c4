"""Runs of commands that work unattended: what each did, kept on this machine; health, metrics and notices from it."""

"""Older groups in the newest form: small, pure, ordered steps over the JSON members, and the files made by them."""

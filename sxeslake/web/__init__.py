"""A read-only web page for lakes: `sxeslake serve`. Needs the extra `web`; imports nothing of it before it is asked."""

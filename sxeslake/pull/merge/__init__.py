"""Parts of many versions as one group."""

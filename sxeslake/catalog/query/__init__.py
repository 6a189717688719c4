"""Questions: filters, the query library and free SQL, and their results."""

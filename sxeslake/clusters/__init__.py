"""Work spread over processes and machines: a plan of what to ingest, shares of it, and the workers that do them."""

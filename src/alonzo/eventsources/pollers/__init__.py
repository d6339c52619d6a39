"""One folder for each source: how to fetch from it, and what its events look like."""

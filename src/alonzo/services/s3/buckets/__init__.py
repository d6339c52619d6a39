"""Buckets: making, setting, listing what is in them, and deleting what has expired."""

"""Event notifications: who wants to know of what in a bucket, and how they hear of it."""

"""Objects of S3: their bytes, versions, tags, and uploads in parts."""

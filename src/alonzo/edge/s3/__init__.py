"""What the edge does for S3 alone: buckets in host names, bodies of any length, strangers."""

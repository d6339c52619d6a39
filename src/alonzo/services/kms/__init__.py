"""AWS Key Management Service: symmetric keys, and what is encrypted with them."""

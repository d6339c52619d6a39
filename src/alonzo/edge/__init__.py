"""The listener: bytes in, one typed AWS operation; a result or a named error, bytes out."""

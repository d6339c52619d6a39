"""The one exception by which decoders give up."""

from __future__ import annotations


class Malformed(Exception):
    """The request's bytes are no value of the expected shape. The text is fit for the client."""

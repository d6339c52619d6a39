"""Alonzo: AWS Lambda on your own machines. The tour of the rooms is ``docs/tour.md``."""

__version__ = "0.1.0"

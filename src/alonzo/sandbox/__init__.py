"""Isolated processes. ``base.py`` is the contract; ``backends/`` holds the ways to keep it."""

"""Ends the process while it is imported."""

import sys

print("leaving early")
sys.exit(3)

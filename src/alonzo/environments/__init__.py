"""Execution environments: one sandbox and one runtime process, serving one function version."""

"""What tests stand on: a daemon in its own process, functions to deploy, waits, the clean slate.

Production code never imports from here; a checker holds us to that.
"""

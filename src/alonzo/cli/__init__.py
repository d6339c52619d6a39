"""The ``alonzo`` command: one file per command, each talking to a running platform's public API."""

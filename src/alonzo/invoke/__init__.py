"""Data plane: names, admission, synchronous invokes, and the queue of events. See README.md."""

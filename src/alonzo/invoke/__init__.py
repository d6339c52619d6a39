"""Data plane: admission, synchronous invokes, and the queue of events."""

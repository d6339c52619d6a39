"""One folder for each way of isolating a process."""

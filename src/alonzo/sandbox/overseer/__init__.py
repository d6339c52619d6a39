"""A process that starts, stops and ends others for the daemon, where no namespace of ours does."""

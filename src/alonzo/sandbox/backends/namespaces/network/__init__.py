"""What sandboxes reach beyond themselves: nothing, the world behind the host, or the host."""

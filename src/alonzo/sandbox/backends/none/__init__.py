"""Plain processes of the user who runs the platform: no isolation, only when asked for by name."""

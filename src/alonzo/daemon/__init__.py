"""The one place where everything meets: configuration, wiring, start and stop order."""

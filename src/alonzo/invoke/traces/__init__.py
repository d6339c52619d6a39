"""Traces: which calls are sampled, and their spans on the way to an OpenTelemetry collector."""

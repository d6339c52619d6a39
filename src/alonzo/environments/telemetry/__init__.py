"""The Telemetry API and the old Logs API: what extensions hear of their environment."""

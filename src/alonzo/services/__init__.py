"""Bundled AWS services, one folder each. None knows another."""

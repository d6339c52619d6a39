"""Statements on what is in buckets. Runs inside units of work."""

from __future__ import annotations

from alonzo.store.queries import load

Q = load("alonzo.services.s3.buckets")

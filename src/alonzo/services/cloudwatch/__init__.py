"""CloudWatch metrics, and what functions used: both derived from one durable journal.

``api.operations`` is the service. ``sink.MetricWriter`` takes what the platform counts,
``folding.Folder`` turns the journal into points and usage, ``usage`` answers what was used and what
it would have cost.
"""

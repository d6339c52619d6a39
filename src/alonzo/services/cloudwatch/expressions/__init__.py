"""Metric math: the expressions of GetMetricData. Pure.

``parser.parse`` reads one, ``evaluator.evaluate`` answers its series. What is not here is refused
by name (``functions.REFUSED``). Source: CloudWatch user guide, metric math syntax and functions.
"""

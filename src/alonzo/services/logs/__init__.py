"""CloudWatch Logs: groups, streams and events, and the log sink of execution environments.

``api.operations`` is the service, ``sink.LogWriter`` takes what environments write, and
``retention.Reaper`` deletes what has expired.
"""

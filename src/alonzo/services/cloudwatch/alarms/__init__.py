"""Alarms: what they watch, when they go off, and whom they tell.

``operations.AlarmOperations`` and ``listing.AlarmListing`` are the operations,
``keeper.AlarmKeeper`` judges alarms as they come due, ``changing`` changes states with all that
follows, ``composite`` is about alarms that look at others, ``actions.ActionCarrier`` brings what
follows to topics, functions and EventBridge.
"""

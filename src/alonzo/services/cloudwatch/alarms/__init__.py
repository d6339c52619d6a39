"""Alarms: what they watch, when they go off, and whom they tell.

``operations.AlarmOperations`` are the operations, ``keeper.AlarmKeeper`` judges alarms as they come
due, ``actions.ActionCarrier`` brings what follows to topics and functions.
"""

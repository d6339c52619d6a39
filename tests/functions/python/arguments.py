"""A handler that takes one argument too few."""


def handler(event):
    return event

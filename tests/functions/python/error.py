"""Raises, two frames deep."""


class OutOfCheese(Exception):
    pass


def handler(event, context):
    check(event)


def check(event):
    raise OutOfCheese(event.get("message", "redo from start"))

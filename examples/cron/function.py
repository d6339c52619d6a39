"""A report of the day of the tick. A tick that comes late is still that day's."""

from datetime import datetime


def handler(event, context):
    at = datetime.fromisoformat(event["time"])
    print(f"report of {at:%A, %d %B %Y}, try {event['try']}")

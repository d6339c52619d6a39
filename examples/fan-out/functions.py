"""Two functions, each behind a queue of its own. A record's body is what was published."""

import json


def bill(event, context):
    for record in event["Records"]:
        order = json.loads(record["body"])
        print(f"bill: order {order['id']} costs {order['total']}")


def ship(event, context):
    for record in event["Records"]:
        order = json.loads(record["body"])
        print(f"ship: order {order['id']} goes to {order['country']}")

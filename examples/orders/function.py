"""Works off orders, in the order of each customer. PRICES says what there is to buy."""

import json
import os

PRICES = json.loads(os.environ["PRICES"])


def handler(event, context):
    failed, stuck = [], set()
    for record in event["Records"]:
        customer = record["attributes"]["MessageGroupId"]
        item = record["body"]
        if customer in stuck or item not in PRICES:
            # What comes after it in its group must not overtake it, so that fails, too.
            stuck.add(customer)
            failed.append({"itemIdentifier": record["messageId"]})
            print(f"{customer} waits for {item}")
        else:
            print(f"{customer} buys {item} for {PRICES[item]}")
    return {"batchItemFailures": failed}

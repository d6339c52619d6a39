"""A shop that answers the web, and a canary that looks whether it does."""

import os
import urllib.request

import boto3


def shop(event, context):
    return {"statusCode": 200, "body": os.environ["GREETING"]}


def canary(event, context):
    found = boto3.client("lambda").get_function_url_config(FunctionName=os.environ["SHOP"])
    try:
        url = found["FunctionUrl"]
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - Lambda names it
            failed, seen = 0, answer.status
    except OSError as error:  # A refusal, a time-out, a status of 400 and above.
        failed, seen = 1, error
    print(f"canary: {seen}")
    datum = {"MetricName": "Failed", "Value": failed, "StorageResolution": 1}
    boto3.client("cloudwatch").put_metric_data(
        Namespace=os.environ["NAMESPACE"], MetricData=[datum]
    )

"""Makes the example: ``python deploy.py``. Takes it down again: ``python deploy.py remove``."""

import io
import json
import os
import sys
import zipfile
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

#: Goes before every name, so that the example is in the way of nothing that you have.
PREFIX = os.environ.get("EXAMPLE_PREFIX", "")
# One line of what is wrong, in place of a stack trace.
sys.excepthook = lambda kind, error, _: print(f"{kind.__name__}: {error}", file=sys.stderr)
SHOP, CANARY, CLOCK = f"{PREFIX}shop", f"{PREFIX}canary", f"{PREFIX}canary-clock"
ALERTS, ALARM = f"{PREFIX}canary-alerts", f"{PREFIX}shop-is-down"
LOGS = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"

iam, functions = boto3.client("iam"), boto3.client("lambda")
scheduler, cloudwatch = boto3.client("scheduler"), boto3.client("cloudwatch")
sns, sqs = boto3.client("sns"), boto3.client("sqs")


def package():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.write(Path(__file__).with_name("functions.py"), "functions.py")
    return buffer.getvalue()


def document(*statements):
    allowed = [{"Effect": "Allow", **statement} for statement in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": allowed})


def role(name, service, *statements):
    """A role that a service may assume, with rights of its own."""
    trust = document({"Principal": {"Service": service}, "Action": "sts:AssumeRole"})
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    if statements:
        policy = document(*statements)
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
    return made["Role"]["Arn"]


def function(name, handler, *statements, **variables):
    """A function that may write logs, and what statements say."""
    own = role(name, "lambda.amazonaws.com", *statements)
    iam.attach_role_policy(RoleName=name, PolicyArn=LOGS)
    made = functions.create_function(
        FunctionName=name,
        Runtime=f"python3.{sys.version_info.minor}",
        Handler=f"functions.{handler}",
        Role=own,
        Code={"ZipFile": package()},
        Timeout=20,
        Environment={"Variables": variables},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    return made["FunctionArn"]


def shop():
    """The function behind a URL that is open to everybody."""
    arn = function(SHOP, "shop", GREETING="come in")
    functions.create_function_url_config(FunctionName=SHOP, AuthType="NONE")
    everybody = {"FunctionName": SHOP, "Principal": "*"}
    functions.add_permission(
        **everybody,
        StatementId="url",
        Action="lambda:InvokeFunctionUrl",
        FunctionUrlAuthType="NONE",
    )
    functions.add_permission(
        **everybody,
        StatementId="function",
        Action="lambda:InvokeFunction",
        InvokedViaFunctionUrl=True,
    )
    return arn


def alerts():
    """A topic, and a queue that keeps what it says."""
    topic = sns.create_topic(Name=ALERTS)["TopicArn"]
    url = sqs.create_queue(QueueName=ALERTS)["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn = found["Attributes"]["QueueArn"]
    send = {
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document(send)})
    sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
    )
    return topic, url


def deploy():
    shop_arn = shop()
    topic, url = alerts()
    cloudwatch.put_metric_alarm(
        AlarmName=ALARM,
        Namespace=CANARY,
        MetricName="Failed",
        Statistic="Maximum",
        # Short, so that you can watch it: the canary comes once a minute. Between its visits the
        # alarm stays as it is.
        Period=10,
        EvaluationPeriods=1,
        TreatMissingData="ignore",
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        Threshold=1,
        AlarmActions=[topic],
        OKActions=[topic],
    )
    canary = function(
        CANARY,
        "canary",
        {"Action": "lambda:GetFunctionUrlConfig", "Resource": shop_arn},
        {
            "Action": "cloudwatch:PutMetricData",
            "Resource": "*",
            "Condition": {"StringEquals": {"cloudwatch:namespace": CANARY}},
        },
        SHOP=SHOP,
        NAMESPACE=CANARY,
    )
    call = {"Action": "lambda:InvokeFunction", "Resource": canary}
    scheduler.create_schedule(
        Name=CANARY,
        ScheduleExpression="rate(1 minute)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": canary, "RoleArn": role(CLOCK, "scheduler.amazonaws.com", call)},
    )
    print(url)


def delete_queue(name):
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])


def drop(delete, **what):
    """Delete one thing; if it cannot be, say so, and go on with the rest."""
    try:
        delete(**what)
    except ClientError as error:
        print(error, file=sys.stderr)


def remove():
    drop(scheduler.delete_schedule, Name=CANARY)
    drop(cloudwatch.delete_alarms, AlarmNames=[ALARM])
    for name in (CANARY, SHOP):
        drop(functions.delete_function, FunctionName=name)
        drop(iam.detach_role_policy, RoleName=name, PolicyArn=LOGS)
    for name in (CANARY, CLOCK):
        drop(iam.delete_role_policy, RoleName=name, PolicyName="own")
    for name in (CANARY, SHOP, CLOCK):
        drop(iam.delete_role, RoleName=name)
    drop(delete_queue, name=ALERTS)
    # Its subscription goes with it. CreateTopic answers the topic that there is.
    sns.delete_topic(TopicArn=sns.create_topic(Name=ALERTS)["TopicArn"])


if __name__ == "__main__":
    remove() if sys.argv[1:] == ["remove"] else deploy()

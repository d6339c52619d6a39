"""Makes the example: ``python deploy.py``. Takes it down again: ``python deploy.py remove``."""

import io
import json
import sys
import zipfile
from pathlib import Path

import boto3

ALERTS, CLOCK = "canary-alerts", "canary-clock"
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


def function(name, *statements, **variables):
    """A function that may write logs, and what statements say."""
    own = role(name, "lambda.amazonaws.com", *statements)
    iam.attach_role_policy(RoleName=name, PolicyArn=LOGS)
    made = functions.create_function(
        FunctionName=name,
        Runtime=f"python3.{sys.version_info.minor}",
        Handler=f"functions.{name}",
        Role=own,
        Code={"ZipFile": package()},
        Timeout=20,
        Environment={"Variables": variables},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    return made["FunctionArn"]


def shop():
    """The function behind a URL that is open to everybody."""
    arn = function("shop", GREETING="come in")
    functions.create_function_url_config(FunctionName="shop", AuthType="NONE")
    everybody = {"FunctionName": "shop", "Principal": "*"}
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
        AlarmName="shop-is-down",
        Namespace="canary",
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
        "canary",
        {"Action": "lambda:GetFunctionUrlConfig", "Resource": shop_arn},
        {
            "Action": "cloudwatch:PutMetricData",
            "Resource": "*",
            "Condition": {"StringEquals": {"cloudwatch:namespace": "canary"}},
        },
    )
    call = {"Action": "lambda:InvokeFunction", "Resource": canary}
    scheduler.create_schedule(
        Name="canary",
        ScheduleExpression="rate(1 minute)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": canary, "RoleArn": role(CLOCK, "scheduler.amazonaws.com", call)},
    )
    print(url)


def remove():
    scheduler.delete_schedule(Name="canary")
    cloudwatch.delete_alarms(AlarmNames=["shop-is-down"])
    for name in ("canary", "shop"):
        functions.delete_function(FunctionName=name)
        iam.detach_role_policy(RoleName=name, PolicyArn=LOGS)
    for name in ("canary", CLOCK):
        iam.delete_role_policy(RoleName=name, PolicyName="own")
    for name in ("canary", "shop", CLOCK):
        iam.delete_role(RoleName=name)
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=ALERTS)["QueueUrl"])
    # Its subscription goes with it. CreateTopic answers the topic that there is.
    sns.delete_topic(TopicArn=sns.create_topic(Name=ALERTS)["TopicArn"])


if __name__ == "__main__":
    remove() if sys.argv[1:] == ["remove"] else deploy()

"""Makes the example: ``python deploy.py``. Takes it down again: ``python deploy.py remove``.

With an expression of your own: ``python deploy.py 'rate(1 minute)'``.
"""

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
NAME, CLOCK = f"{PREFIX}report", f"{PREFIX}report-clock"
#: Eight in the morning of every working day, wherever summer time has the clocks.
EXPRESSION, ZONE = "cron(0 8 ? * MON-FRI *)", "Europe/Berlin"
#: What the function is called with. Scheduler puts the facts of the tick into it.
TICK = {"time": "<aws.scheduler.scheduled-time>", "try": "<aws.scheduler.attempt-number>"}
LOGS = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"

iam, functions = boto3.client("iam"), boto3.client("lambda")
scheduler = boto3.client("scheduler")


def package():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.write(Path(__file__).with_name("function.py"), "function.py")
    return buffer.getvalue()


def document(**statement):
    return json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", **statement}})


def role(name, service):
    """A role that a service may assume."""
    trust = document(Principal={"Service": service}, Action="sts:AssumeRole")
    return iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]


def deploy(expression):
    own = role(NAME, "lambda.amazonaws.com")
    iam.attach_role_policy(RoleName=NAME, PolicyArn=LOGS)
    made = functions.create_function(
        FunctionName=NAME,
        Runtime=f"python3.{sys.version_info.minor}",
        Handler="function.handler",
        Role=own,
        Code={"ZipFile": package()},
        Timeout=10,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=NAME, WaiterConfig={"Delay": 1})
    clock = role(CLOCK, "scheduler.amazonaws.com")
    calls = document(Action="lambda:InvokeFunction", Resource=made["FunctionArn"])
    iam.put_role_policy(RoleName=CLOCK, PolicyName="call", PolicyDocument=calls)
    schedule = scheduler.create_schedule(
        Name=NAME,
        ScheduleExpression=expression,
        ScheduleExpressionTimezone=ZONE,
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": made["FunctionArn"], "RoleArn": clock, "Input": json.dumps(TICK)},
    )
    print(schedule["ScheduleArn"])


def drop(delete, **what):
    """Delete one thing; if it cannot be, say so, and go on with the rest."""
    try:
        delete(**what)
    except ClientError as error:
        print(error, file=sys.stderr)


def remove():
    drop(scheduler.delete_schedule, Name=NAME)
    drop(functions.delete_function, FunctionName=NAME)
    drop(iam.delete_role_policy, RoleName=CLOCK, PolicyName="call")
    drop(iam.detach_role_policy, RoleName=NAME, PolicyArn=LOGS)
    for name in (NAME, CLOCK):
        drop(iam.delete_role, RoleName=name)


if __name__ == "__main__":
    remove() if sys.argv[1:] == ["remove"] else deploy(*(sys.argv[1:] or [EXPRESSION]))

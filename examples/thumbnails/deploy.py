"""Makes the example: ``python deploy.py``. Takes it down again: ``python deploy.py remove``.

Pillow is fetched with pip, unless a folder that has it is named: ``python deploy.py FOLDER``.
"""

import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

#: Goes before every name, so that the example is in the way of nothing that you have.
PREFIX = os.environ.get("EXAMPLE_PREFIX", "")
# One line of what is wrong, in place of a stack trace.
sys.excepthook = lambda kind, error, _: print(f"{kind.__name__}: {error}", file=sys.stderr)
NAME = f"{PREFIX}thumbnails"
RUNTIME = f"python3.{sys.version_info.minor}"
TRUST = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    },
}
LOGS = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"

iam, functions, s3 = boto3.client("iam"), boto3.client("lambda"), boto3.client("s3")
account = boto3.client("sts").get_caller_identity()["Account"]
# A bucket's name is one of a kind everywhere on AWS.
PHOTOS, THUMBNAILS = f"{PREFIX}photos-{account}", f"{NAME}-{account}"


def package(files):
    """A zip of files by their names in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, path in files.items():
            archive.write(path, name)
    return buffer.getvalue()


def pillow(folder):
    """Have pip put Pillow into a folder, as it is built for this machine and interpreter."""
    options = ["--quiet", "--no-compile", "--only-binary", ":all:", "--target", folder]
    command = [sys.executable, "-m", "pip", "install", *options, "pillow"]
    subprocess.run(command, check=True)  # noqa: S603 - nothing of it comes from outside


def layer(folder):
    """A layer of what a folder has: Python finds what lies below ``python/``."""
    paths = (path for path in Path(folder).rglob("*") if path.is_file())
    files = {f"python/{path.relative_to(folder)}": path for path in paths}
    made = functions.publish_layer_version(
        LayerName=NAME, Content={"ZipFile": package(files)}, CompatibleRuntimes=[RUNTIME]
    )
    return made["LayerVersionArn"]


def role():
    """May read photos, write thumbnails and logs, and nothing else."""
    made = iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.attach_role_policy(RoleName=NAME, PolicyArn=LOGS)
    statements = [
        {"Effect": "Allow", "Action": action, "Resource": f"arn:aws:s3:::{bucket}/*"}
        for action, bucket in (("s3:GetObject", PHOTOS), ("s3:PutObject", THUMBNAILS))
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName=NAME, PolicyName="photos", PolicyDocument=policy)
    return made["Role"]["Arn"]


def notify(function):
    """Have the bucket call the function, which lets this bucket of this account in."""
    functions.add_permission(
        FunctionName=NAME,
        StatementId="photos",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{PHOTOS}",
        SourceAccount=account,
    )
    calls = {"LambdaFunctionArn": function, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=PHOTOS, NotificationConfiguration={"LambdaFunctionConfigurations": [calls]}
    )


def deploy(folder):
    layer_arn = layer(folder)
    for bucket in (PHOTOS, THUMBNAILS):
        s3.create_bucket(Bucket=bucket)
    made = functions.create_function(
        FunctionName=NAME,
        Runtime=RUNTIME,
        Handler="function.handler",
        Role=role(),
        Code={"ZipFile": package({"function.py": Path(__file__).with_name("function.py")})},
        Layers=[layer_arn],
        Timeout=30,
        MemorySize=512,
        Environment={"Variables": {"THUMBNAILS": THUMBNAILS}},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=NAME, WaiterConfig={"Delay": 1})
    notify(made["FunctionArn"])
    print(PHOTOS, THUMBNAILS)


def delete_bucket(bucket):
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for found in page.get("Contents", ()):
            s3.delete_object(Bucket=bucket, Key=found["Key"])
    s3.delete_bucket(Bucket=bucket)


def drop(delete, **what):
    """Delete one thing; if it cannot be, say so, and go on with the rest."""
    try:
        delete(**what)
    except ClientError as error:
        print(error, file=sys.stderr)


def remove():
    for bucket in (PHOTOS, THUMBNAILS):
        drop(delete_bucket, bucket=bucket)
    drop(functions.delete_function, FunctionName=NAME)
    for version in functions.list_layer_versions(LayerName=NAME)["LayerVersions"]:
        drop(functions.delete_layer_version, LayerName=NAME, VersionNumber=version["Version"])
    drop(iam.delete_role_policy, RoleName=NAME, PolicyName="photos")
    drop(iam.detach_role_policy, RoleName=NAME, PolicyArn=LOGS)
    drop(iam.delete_role, RoleName=NAME)


def main(arguments):
    if arguments == ["remove"]:
        remove()
    elif arguments:
        deploy(arguments[0])
    else:
        with tempfile.TemporaryDirectory() as folder:
            pillow(folder)
            deploy(folder)


if __name__ == "__main__":
    main(sys.argv[1:])

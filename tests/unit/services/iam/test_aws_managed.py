"""The policies of AWS are policies, and the ones people attach most are there."""

import pytest

from alonzo.lib.policies.grammar import read_identity
from alonzo.services.iam.aws_managed import AWS_MANAGED


@pytest.mark.parametrize("policy", AWS_MANAGED.values(), ids=lambda policy: policy.name)
def test_every_policy_could_be_made_by_a_user(policy):
    read_identity(policy.text)
    assert policy.description
    assert policy.arn.startswith("arn:aws:iam::aws:policy/")


@pytest.mark.parametrize(
    "arn",
    [
        "service-role/AWSLambdaBasicExecutionRole",
        "service-role/AWSLambdaVPCAccessExecutionRole",
        "service-role/AWSLambdaSQSQueueExecutionRole",
        "service-role/AWSLambdaDynamoDBExecutionRole",
        "service-role/AWSLambdaKinesisExecutionRole",
        "service-role/AWSLambdaMSKExecutionRole",
        "AWSXRayDaemonWriteAccess",
        "AWSLambda_FullAccess",
        "AWSLambda_ReadOnlyAccess",
        "AdministratorAccess",
        "PowerUserAccess",
        "ReadOnlyAccess",
    ],
)
def test_what_people_attach_is_there(arn):
    assert f"arn:aws:iam::aws:policy/{arn}" in AWS_MANAGED

"""The managed policies of AWS that people attach to roles of functions and to their users.

``ReadOnlyAccess`` and ``AWSLambda_FullAccess`` of AWS name every service there is; here they name
those that a Lambda user meets. Their wildcards let in no more than AWS's.

Source: AWS managed policy reference.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from alonzo.lib.policies.compiled import Policy, compile_policy
from alonzo.services.iam.key_ids import fixed_id

_LOGS = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
_INTERFACES = (
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
)
_PASS_TO_LAMBDA = {
    "Effect": "Allow",
    "Action": "iam:PassRole",
    "Resource": "*",
    "Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}},
}
_READS = tuple(
    f"{service}:{verb}*"
    for service, verbs in {
        "apigateway": ("GET",),
        "cloudformation": ("Describe", "Get", "List"),
        "cloudwatch": ("Describe", "Get", "List"),
        "dynamodb": ("BatchGet", "Describe", "Get", "List", "Query", "Scan"),
        "ec2": ("Describe", "Get"),
        "ecr": ("BatchGet", "Describe", "Get", "List"),
        "events": ("Describe", "List", "Test"),
        "firehose": ("Describe", "List"),
        "iam": ("Generate", "Get", "List", "Simulate"),
        "kafka": ("Describe", "Get", "List"),
        "kinesis": ("Describe", "Get", "List"),
        "kms": ("Describe", "Get", "List"),
        "lambda": ("Get", "List"),
        "logs": ("Describe", "FilterLogEvents", "Get", "List", "StartQuery", "StopQuery"),
        "s3": ("Get", "List"),
        "scheduler": ("Get", "List"),
        "secretsmanager": ("Describe", "GetResourcePolicy", "List"),
        "sns": ("Check", "Get", "List"),
        "sqs": ("Get", "List"),
        "ssm": ("Describe", "Get", "List"),
        "states": ("Describe", "Get", "List"),
        "sts": ("GetAccessKeyInfo", "GetCallerIdentity", "GetSessionToken"),
        "tag": ("Get",),
        "xray": ("BatchGet", "Get"),
    }.items()
    for verb in verbs
)


@dataclass(frozen=True)
class AwsManagedPolicy:
    """One policy of AWS. All of them are as old as the platform's first day."""

    name: str
    statements: Sequence[Mapping[str, Any]]
    path: str = "/"
    description: str = ""
    created_at_s: float = field(default=1_423_180_800.0)

    @property
    def arn(self) -> str:
        """Its ARN, which names no account."""
        return f"arn:aws:iam::aws:policy{self.path}{self.name}"

    @property
    def unique_id(self) -> str:
        """Always the same."""
        return fixed_id("ANPA", self.arn)

    @cached_property
    def text(self) -> str:
        """The document as the API answers it."""
        document = {"Version": "2012-10-17", "Statement": list(self.statements)}
        return json.dumps(document, indent=2)

    @cached_property
    def policy(self) -> Policy:
        """The document made ready."""
        return compile_policy(json.loads(self.text), self.arn)


def _allow(actions: Sequence[str], resource: str | Sequence[str] = "*") -> dict[str, Any]:
    several = resource if isinstance(resource, str) else list(resource)
    return {"Effect": "Allow", "Action": list(actions), "Resource": several}


def _service_role(name: str, description: str, *actions: str) -> AwsManagedPolicy:
    return AwsManagedPolicy(name, [_allow(actions)], "/service-role/", description)


def _full(name: str, *services: str) -> AwsManagedPolicy:
    actions = [f"{service}:*" for service in services]
    return AwsManagedPolicy(
        name, [_allow(actions)], description=f"Full access to {', '.join(services)}."
    )


_ALL = (
    _service_role("AWSLambdaBasicExecutionRole", "Write permissions to CloudWatch Logs.", *_LOGS),
    _service_role(
        "AWSLambdaBasicDurableExecutionRolePolicy",
        "What durable functions need: logs, checkpoints and their state.",
        *_LOGS,
        "lambda:CheckpointDurableExecution",
        "lambda:GetDurableExecutionState",
    ),
    _service_role(
        "AWSLambdaVPCAccessExecutionRole",
        "What functions in a VPC need: network interfaces and logs.",
        *_LOGS,
        *_INTERFACES,
    ),
    _service_role("AWSLambdaENIManagementAccess", "Network interfaces of functions.", *_INTERFACES),
    _service_role(
        "AWSLambdaSQSQueueExecutionRole",
        "Receive, delete and describe for SQS queues, and logs.",
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        *_LOGS,
    ),
    _service_role(
        "AWSLambdaDynamoDBExecutionRole",
        "List and read of DynamoDB streams, and logs.",
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
        *_LOGS,
    ),
    _service_role(
        "AWSLambdaKinesisExecutionRole",
        "List and read of Kinesis streams, and logs.",
        "kinesis:DescribeStream",
        "kinesis:DescribeStreamSummary",
        "kinesis:GetRecords",
        "kinesis:GetShardIterator",
        "kinesis:ListShards",
        "kinesis:ListStreams",
        "kinesis:SubscribeToShard",
        *_LOGS,
    ),
    _service_role(
        "AWSLambdaMSKExecutionRole",
        "Access to MSK clusters in a VPC, and logs.",
        "kafka:DescribeCluster",
        "kafka:DescribeClusterV2",
        "kafka:GetBootstrapBrokers",
        "ec2:CreateNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeVpcs",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeSubnets",
        "ec2:DescribeSecurityGroups",
        *_LOGS,
    ),
    _service_role("AWSLambdaRole", "Invocation of functions.", "lambda:InvokeFunction"),
    AwsManagedPolicy(
        "AWSLambdaExecute",
        [
            _allow(["logs:*"], "arn:aws:logs:*:*:*"),
            _allow(["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::*"),
        ],
        description="Put and get of S3 objects, and logs.",
    ),
    AwsManagedPolicy(
        "AWSXRayDaemonWriteAccess",
        [
            _allow(
                [
                    "xray:PutTraceSegments",
                    "xray:PutTelemetryRecords",
                    "xray:GetSamplingRules",
                    "xray:GetSamplingTargets",
                    "xray:GetSamplingStatisticSummaries",
                ]
            )
        ],
        description="What a sender of traces needs.",
    ),
    AwsManagedPolicy(
        "CloudWatchLambdaInsightsExecutionRolePolicy",
        [
            _allow(["logs:CreateLogGroup"]),
            _allow(
                ["logs:CreateLogStream", "logs:PutLogEvents"],
                "arn:aws:logs:*:*:log-group:/aws/lambda-insights:*",
            ),
        ],
        description="What the Lambda Insights extension needs.",
    ),
    AwsManagedPolicy(
        "AWSLambda_FullAccess",
        [
            _allow(
                [
                    "cloudformation:DescribeStacks",
                    "cloudformation:ListStacks",
                    "cloudformation:ListStackResources",
                    "cloudwatch:ListMetrics",
                    "cloudwatch:GetMetricData",
                    "ec2:DescribeSecurityGroups",
                    "ec2:DescribeSubnets",
                    "ec2:DescribeVpcs",
                    "kms:ListAliases",
                    "iam:GetPolicy",
                    "iam:GetPolicyVersion",
                    "iam:GetRole",
                    "iam:GetRolePolicy",
                    "iam:ListAttachedRolePolicies",
                    "iam:ListRolePolicies",
                    "iam:ListRoles",
                    "lambda:*",
                    "logs:DescribeLogGroups",
                    "states:DescribeStateMachine",
                    "states:ListStateMachines",
                    "tag:GetResources",
                    "xray:GetTraceSummaries",
                    "xray:BatchGetTraces",
                ]
            ),
            _PASS_TO_LAMBDA,
            _allow(
                ["logs:DescribeLogStreams", "logs:GetLogEvents", "logs:FilterLogEvents"],
                "arn:aws:logs:*:*:log-group:/aws/lambda/*",
            ),
        ],
        description="Full access to Lambda, and what its console shows of other services.",
    ),
    AwsManagedPolicy(
        "AWSLambda_ReadOnlyAccess",
        [
            _allow(
                [
                    "cloudformation:DescribeStacks",
                    "cloudformation:ListStacks",
                    "cloudformation:ListStackResources",
                    "cloudwatch:GetMetricData",
                    "cloudwatch:ListMetrics",
                    "ec2:DescribeSecurityGroups",
                    "ec2:DescribeSubnets",
                    "ec2:DescribeVpcs",
                    "kms:ListAliases",
                    "iam:GetPolicy",
                    "iam:GetPolicyVersion",
                    "iam:GetRole",
                    "iam:GetRolePolicy",
                    "iam:ListAttachedRolePolicies",
                    "iam:ListRolePolicies",
                    "iam:ListRoles",
                    "logs:DescribeLogGroups",
                    "lambda:Get*",
                    "lambda:List*",
                    "states:DescribeStateMachine",
                    "states:ListStateMachines",
                    "tag:GetResources",
                    "xray:GetTraceSummaries",
                    "xray:BatchGetTraces",
                ]
            ),
            _allow(
                ["logs:DescribeLogStreams", "logs:GetLogEvents", "logs:FilterLogEvents"],
                "arn:aws:logs:*:*:log-group:/aws/lambda/*",
            ),
        ],
        description="Read access to Lambda, and what its console shows of other services.",
    ),
    AwsManagedPolicy("AdministratorAccess", [_allow(["*"])], description="Everything."),
    AwsManagedPolicy(
        "PowerUserAccess",
        [
            {
                "Effect": "Allow",
                "NotAction": ["iam:*", "organizations:*", "account:*"],
                "Resource": "*",
            },
            _allow(
                [
                    "account:GetAccountInformation",
                    "account:GetPrimaryEmail",
                    "account:ListRegions",
                    "iam:CreateServiceLinkedRole",
                    "iam:DeleteServiceLinkedRole",
                    "iam:ListRoles",
                    "organizations:DescribeOrganization",
                ]
            ),
        ],
        description="Everything but the management of users and groups.",
    ),
    AwsManagedPolicy("ReadOnlyAccess", [_allow(_READS)], description="Read access."),
    AwsManagedPolicy(
        "IAMReadOnlyAccess",
        [
            _allow(
                [
                    "iam:GenerateCredentialReport",
                    "iam:GenerateServiceLastAccessedDetails",
                    "iam:Get*",
                    "iam:List*",
                    "iam:SimulateCustomPolicy",
                    "iam:SimulatePrincipalPolicy",
                ]
            )
        ],
        description="Read access to IAM.",
    ),
    _full("IAMFullAccess", "iam"),
    _full("AmazonS3FullAccess", "s3", "s3-object-lambda"),
    AwsManagedPolicy(
        "AmazonS3ReadOnlyAccess",
        [_allow(["s3:Get*", "s3:List*", "s3:Describe*", "s3-object-lambda:Get*"])],
        description="Read access to S3.",
    ),
    _full("AmazonSQSFullAccess", "sqs"),
    _full("AmazonSNSFullAccess", "sns"),
    _full("AmazonDynamoDBFullAccess_v2", "dynamodb", "dax"),
    _full("AmazonKinesisFullAccess", "kinesis"),
    _full("AmazonEventBridgeFullAccess", "events", "schemas", "scheduler", "pipes"),
    _full("CloudWatchLogsFullAccess", "logs"),
    AwsManagedPolicy(
        "CloudWatchLogsReadOnlyAccess",
        [
            _allow(
                [
                    "logs:Describe*",
                    "logs:Get*",
                    "logs:List*",
                    "logs:StartQuery",
                    "logs:StopQuery",
                    "logs:TestMetricFilter",
                    "logs:FilterLogEvents",
                ]
            )
        ],
        description="Read access to CloudWatch Logs.",
    ),
    _full("SecretsManagerReadWrite", "secretsmanager"),
    _full("AmazonSSMFullAccess", "ssm"),
    AwsManagedPolicy(
        "AmazonSSMReadOnlyAccess",
        [_allow(["ssm:Describe*", "ssm:Get*", "ssm:List*"])],
        description="Read access to Systems Manager.",
    ),
)

#: Every policy of AWS that there is here, by ARN.
AWS_MANAGED: Mapping[str, AwsManagedPolicy] = {policy.arn: policy for policy in _ALL}

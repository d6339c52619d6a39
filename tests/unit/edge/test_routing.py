"""Which service a request is for."""

from __future__ import annotations

import pytest

from alonzo.edge.models import service_model
from alonzo.edge.routing import Router, host_region
from alonzo.model.http import HttpRequest

SERVICES = ("lambda", "logs", "sts", "cloudwatch", "stepfunctions", "events", "s3", "sqs")
ROUTER = Router({name: service_model(name) for name in SERVICES})


def request(
    target: str = "/",
    method: str = "POST",
    host: str = "127.0.0.1:4566",
    body: bytes = b"",
    **headers: str,
) -> HttpRequest:
    path, _, query = target.partition("?")
    pairs = [(b"host", host.encode())]
    pairs += [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    return HttpRequest(method, path.encode(), query.encode(), tuple(pairs), body, "127.0.0.1")


@pytest.mark.parametrize(
    ("signing_name", "service"),
    [
        ("lambda", "lambda"),
        ("monitoring", "cloudwatch"),
        ("states", "stepfunctions"),
        ("events", "events"),
        ("logs", "logs"),
        ("sts", "sts"),
        ("dynamodb", None),
        ("", None),
    ],
)
def test_signing_name_decides(signing_name: str, service: str | None) -> None:
    assert ROUTER.pick(request(), signing_name) == service


def test_scope_of_a_service_not_served_is_not_answered_by_another() -> None:
    asked = request("/2015-03-31/functions", "GET", host="lambda.eu-west-1.amazonaws.com")
    assert ROUTER.pick(asked, "ecs") is None


FORM = "application/x-www-form-urlencoded; charset=utf-8"
UNSIGNED = [
    (request(x_amz_target="Logs_20140328.DescribeLogGroups"), "logs"),
    (request(x_amz_target="AWSStepFunctions.ListStateMachines"), "stepfunctions"),
    (request(x_amz_target="Nobody.Knows"), None),
    (request("/service/GraniteServiceVersion20100801/operation/ListMetrics"), "cloudwatch"),
    (request(host="lambda.us-east-1.amazonaws.com"), "lambda"),
    (request(host="monitoring.eu-west-1.localhost:4566"), "cloudwatch"),
    (request("/k", "PUT", host="bucket.s3.localhost:4566"), "s3"),
    (request("/k", "PUT", host="lambda.s3.eu-west-1.localhost"), "s3"),
    (request("/2015-03-31/functions", "GET"), "lambda"),
    (request("/2015-03-31/functions", "GET", host="lambda:4566"), "lambda"),
    (request("/2015-03-31/functions/arn%3Aaws%3Alambda%2Ff/configuration", "GET"), "lambda"),
    (request("/2018-10-31/layers?find=LayerVersion", "GET"), "lambda"),
    (request("/2015-03-31/functions/a/b/c", "GET"), None),
    (request("/2026-04-04/network-connectors", "GET"), None),
    (request(body=b"Action=GetCallerIdentity&Version=2011-06-15", content_type=FORM), "sts"),
    (request("/?Action=GetCallerIdentity&Version=2011-06-15", "GET"), "sts"),
    (request("/?Action=GetCallerIdentity", "GET"), "sts"),
    (request("/?Action=GetCallerIdentity&Version=2000-01-01", "GET"), None),
    (request(body=b"Action=Nothing", content_type=FORM), None),
    (request(body=b"Action=GetCallerIdentity"), None),
    (request(body=b"Action=" + b"&" * 5000, content_type=FORM), None),
    (request("/", "GET"), None),
    (request("/favicon.ico", "GET"), None),
]


@pytest.mark.parametrize(("asked", "service"), UNSIGNED)
def test_unsigned_request_is_known_by_its_shape(asked: HttpRequest, service: str | None) -> None:
    assert ROUTER.pick(asked, None) == service


def test_services_that_share_a_signing_name_are_told_apart_by_shape() -> None:
    router = Router({name: service_model(name) for name in ("lambda", "lambda-core")})
    assert router.pick(request("/2026-04-04/network-connectors", "GET"), "lambda") == "lambda-core"
    assert router.pick(request("/2015-03-31/functions", "GET"), "lambda") == "lambda"
    assert router.pick(request("/unknown", "GET"), "lambda") == "lambda"


@pytest.mark.parametrize(
    ("asked", "service", "operation"),
    [
        (request("/2015-03-31/functions"), "lambda", "CreateFunction"),
        (request("/2015-03-31/functions/f/code", "PUT"), "lambda", "UpdateFunctionCode"),
        (request(x_amz_target="Logs_20140328.PutLogEvents"), "logs", "PutLogEvents"),
        (request("/service/X/operation/PutMetricData"), "cloudwatch", "PutMetricData"),
        (request(), "sts", None),
    ],
)
def test_head_of_a_request_names_the_operation(
    asked: HttpRequest, service: str, operation: str | None
) -> None:
    assert ROUTER.operation_name(asked, service) == operation


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("lambda.eu-west-1.amazonaws.com", "eu-west-1"),
        ("LAMBDA.us-gov-east-1.localhost:4566", "us-gov-east-1"),
        ("127.0.0.1:4566", None),
        ("", None),
    ],
)
def test_host_may_name_the_region(host: str, region: str | None) -> None:
    assert host_region(request(host=host)) == region

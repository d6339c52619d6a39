"""S3's documents are called as S3 calls them."""

import pytest

from alonzo.edge.protocols import codec_for

NAMESPACE = b' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


@pytest.mark.parametrize(
    ("operation", "result", "document"),
    [
        (
            "GetBucketLocation",
            {"LocationConstraint": "eu-west-1"},
            b"<LocationConstraint%s>eu-west-1</LocationConstraint>",
        ),
        ("GetBucketLocation", {}, b"<LocationConstraint%s></LocationConstraint>"),
        (
            "ListObjectsV2",
            {"Name": "b"},
            b"<ListBucketResult%s><Name>b</Name></ListBucketResult>",
        ),
        (
            "GetBucketVersioning",
            {"Status": "Enabled"},
            b"<VersioningConfiguration%s><Status>Enabled</Status></VersioningConfiguration>",
        ),
    ],
)
def test_the_root_of_a_document(operation, result, document):
    codec = codec_for("s3")
    answer = codec.render(codec.service.operation_model(operation), result, "r")
    assert answer.body.partition(b"?>")[2].strip() == document % NAMESPACE

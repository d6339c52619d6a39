"""S3's documents are called as S3 calls them, and no longer than S3 lets them be."""

import asyncio
import threading

import pytest

from alonzo.edge.http1.head import Head
from alonzo.edge.protocols import codec_for, xml
from alonzo.edge.s3.documents import (
    BYTES_MAX,
    OTHER_BYTES_MAX,
    STRANGERS_BYTES_MAX,
    LongDocuments,
    bytes_max_of,
)
from alonzo.model.errors import AwsError
from alonzo.model.http import HttpRequest

LONG = LongDocuments()
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


def put(target, body=b"", method="PUT", **fields):
    path, _, query = target.partition("?")
    headers = tuple(
        (name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()
    )
    return HttpRequest(method, path.encode(), query.encode(), headers, body, "127.0.0.1")


@pytest.mark.parametrize(
    ("method", "target", "bytes_max"),
    [
        ("POST", "/bucket?delete", BYTES_MAX["DeleteObjects"]),
        ("POST", "/bucket/k?uploadId=u", BYTES_MAX["CompleteMultipartUpload"]),
        ("PUT", "/bucket?lifecycle", BYTES_MAX["PutBucketLifecycleConfiguration"]),
        ("PUT", "/bucket?cors", BYTES_MAX["PutBucketCors"]),
        ("PUT", "/bucket?policy", OTHER_BYTES_MAX),
        ("PATCH", "/", OTHER_BYTES_MAX),
    ],
)
def test_a_document_is_as_long_as_its_operation_needs(method, target, bytes_max):
    head = Head.of(put(target, method=method, content_length="9000000"))
    assert bytes_max_of(head, head.raw_path, is_stranger=False) == bytes_max
    assert bytes_max_of(head, head.raw_path, is_stranger=True) == STRANGERS_BYTES_MAX


@pytest.mark.parametrize(
    ("target", "root", "entry", "entries"),
    [
        (
            "/bucket?delete",
            b"Delete",
            b"<Object><Key>k</Key><VersionId>v</VersionId></Object>",
            1000,
        ),
        (
            "/bucket/k?uploadId=u",
            b"CompleteMultipartUpload",
            b"<Part><ETag>e</ETag><PartNumber>1</PartNumber>"
            b"<ChecksumSHA256>s</ChecksumSHA256></Part>",
            10_000,
        ),
    ],
)
def test_the_longest_list_is_read_in_a_thread_and_a_longer_one_not_at_all(
    monkeypatch, target, root, entry, entries
):
    threads = []

    def parse_xml(*arguments):
        threads.append(threading.current_thread())
        return whole(*arguments)

    whole = xml.parse_xml
    monkeypatch.setattr(xml, "parse_xml", parse_xml)

    def parse(count):
        body = b"<%s>%s</%s>" % (root, entry * count, root)
        request = put(target, body, "POST")
        return asyncio.run(LONG.parse(request))[1]

    params = parse(entries)
    (document,) = (value for value in params.values() if isinstance(value, dict))
    (listed,) = document.values()
    assert len(listed) == entries
    with pytest.raises(AwsError, match="too many"):
        parse(entries + 6000)
    assert threading.main_thread() not in threads


@pytest.mark.parametrize("name", ["if-modified-since", "if-unmodified-since"])
@pytest.mark.parametrize("date", ["yesterday", "Thu, 32 Jan 2026 00:00:00 GMT", "", "1e999"])
def test_a_date_of_a_condition_that_cannot_be_read_is_no_condition(name, date):
    headers = ((name.encode(), date.encode()),)
    request = HttpRequest("GET", b"/bucket/k", b"", headers, b"", "127.0.0.1")
    assert codec_for("s3").parse(request)[1] == {"Bucket": "bucket", "Key": "k"}
    good = (name.encode(), b"Thu, 01 Jan 2026 00:00:00 GMT")
    request = HttpRequest("GET", b"/bucket/k", b"", (good,), b"", "127.0.0.1")
    assert len(codec_for("s3").parse(request)[1]) == 3

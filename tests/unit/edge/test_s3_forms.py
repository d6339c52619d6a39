"""Forms of browsers taken apart, and the policies that they are held against."""

import base64
import json

import pytest

from alonzo.edge.s3.forms import FIELDS_BYTES_MAX, FileEnd, FormReader, boundary_of
from alonzo.edge.s3.post_policy import Range, check_policy
from alonzo.model.errors import AwsError

NOW = 1_800_000_000.0
LATER, BEFORE = "2030-01-01T00:00:00.000Z", "2020-01-01T00:00:00Z"


def part(name, value, more=""):
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{value}\r\n'


FORM = (
    part("Key", "a/${filename}")
    + part("empty", "")
    + part("file", "line\r\n--c\r\n--", '; filename="C:\\up\\ä.txt"\r\nContent-Type: a/b')
    + part("after", "x")
    + "--b--\r\n"
).encode()


@pytest.mark.parametrize("step", [1, 7, 64, 10_000])
def test_a_form_is_the_same_in_whatever_pieces_it_comes(step):
    reader, end = FormReader(b"b"), FileEnd(b"b")
    pieces = [FORM[at : at + step] for at in range(0, len(FORM), step)]
    form = None
    while form is None:
        form = reader.feed(pieces.pop(0))
    assert (form.fields, form.filename) == ({"key": "a/${filename}", "empty": ""}, "ä.txt")
    file = end.feed(form.rest) + b"".join(end.feed(piece) for piece in pieces)
    assert (file, end.ended) == (b"line\r\n--c\r\n--", True)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"nonsense", "MalformedPOSTRequest"),
        (b"--b\r\nno name\r\n\r\nx\r\n--b", "MalformedPOSTRequest"),
        (b"--b\r\n\r\nx\r\n--b--", "MalformedPOSTRequest"),
        (part("a", "1").encode() * 2 + b"--b--", "MalformedPOSTRequest"),
        (part("a", "\xff").encode("latin-1") + b"--b--", "MalformedPOSTRequest"),
        (part("a", "1").encode() + b"--b--", "IncorrectNumberOfFilesInPostRequest"),
        (part("a", "x" * FIELDS_BYTES_MAX).encode(), "MaxPostPreDataLengthExceededError"),
    ],
)
def test_what_is_no_form_is_refused_by_name(body, code):
    with pytest.raises(AwsError) as caught:
        FormReader(b"b").feed(body)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("text", "boundary"),
    [
        (b"multipart/form-data; boundary=x-y", b"x-y"),
        (b'Multipart/Form-Data; charset=utf-8; boundary="a b"', b"a b"),
        (b"multipart/form-data", None),
        (b"multipart/form-data; boundary=" + b"x" * 71, None),
        (b"text/plain; boundary=x", None),
    ],
)
def test_the_boundary_is_read_from_the_content_type(text, boundary):
    assert boundary_of(text) == boundary


def checked(conditions, *, expiration=LATER, **fields):
    document = {"expiration": expiration, "conditions": conditions}
    policy = base64.b64encode(json.dumps(document).encode()).decode()
    return check_policy(policy, fields, NOW)


def test_what_a_policy_allows_is_allowed_and_its_sizes_are_told():
    conditions = [
        {"bucket": "b", "ACL": "private"},
        ["starts-with", "$Key", "in/"],
        ["starts-with", "$content-type", "image/"],
        ["content-length-range", 1, "10"],
        ["eq", "$x-amz-meta-a", "ä"],
    ]
    fields = {"content-type": "image/a,image/b", "x-amz-meta-a": "ä", "x-ignore-me": "1"}
    fields |= {"x-amz-signature": "s", "policy": "p"}
    assert checked(conditions, bucket="b", acl="private", key="in/a", **fields) == Range(1, 10)
    assert checked([["starts-with", "$key", ""]]).least == 0


@pytest.mark.parametrize(
    ("conditions", "fields", "code"),
    [
        ([{"key": "a"}], {"key": "b"}, "AccessDenied"),
        ([{"key": "a"}], {}, "AccessDenied"),
        ([["starts-with", "$key", "in/"]], {"key": "out"}, "AccessDenied"),
        ([["starts-with", "$content-type", "a/"]], {"content-type": "a/b, c/d"}, "AccessDenied"),
        ([], {"key": "a"}, "AccessDenied"),
        ([["content-length-range", 2, 1]], {}, "InvalidPolicyDocument"),
        ([["content-length-range", "x", 1]], {}, "InvalidPolicyDocument"),
        ([["content-length-range"]], {}, "InvalidPolicyDocument"),
        ([["ends-with", "$key", "a"]], {}, "InvalidPolicyDocument"),
        ([["eq", "key", "a"]], {}, "InvalidPolicyDocument"),
        ([["eq", "$key", 1]], {}, "InvalidPolicyDocument"),
        ([[["eq"], "$key", "a"]], {}, "InvalidPolicyDocument"),
        ([{}], {}, "InvalidPolicyDocument"),
        (["key"], {}, "InvalidPolicyDocument"),
        ("key", {}, "InvalidPolicyDocument"),
    ],
)
def test_what_a_policy_does_not_say_is_refused(conditions, fields, code):
    with pytest.raises(AwsError) as caught:
        checked(conditions, **fields)
    assert caught.value.code == code


def test_a_policy_ends_and_must_be_one():
    with pytest.raises(AwsError, match="Policy expired"):
        checked([], expiration=BEFORE)
    with pytest.raises(AwsError, match="expiration"):
        checked([], expiration="tomorrow")
    for policy in ("", "%", "e30", base64.b64encode(b"[]").decode(), "ew=="):
        with pytest.raises(AwsError) as caught:
            check_policy(policy, {}, NOW)
        assert caught.value.code == "InvalidPolicyDocument"

"""Uploads from browsers' forms, as boto3's ``generate_presigned_post`` signs them."""

import http.client
import json
import urllib.parse

import pytest
from botocore.config import Config

from alonzo.testing.callers import Household, allow
from alonzo.testing.clients import make_client
from alonzo.testing.daemon import REGION


class Page:
    """A bucket, and a page with a form that uploads into it."""

    def __init__(self, s3, name):
        self.s3, self.name = s3, name

    def send(self, signed, data=b"hello", filename="me.txt", also=()):
        """Status, headers by name in lower case, and body of the answer."""
        fields = {**signed["fields"], **dict(also)}
        parts = [
            f'--bb\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in fields.items()
        ]
        parts.append(
            f'--bb\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
            "Content-Type: text/html\r\n\r\n".encode()
        )
        body = b"".join(parts) + data + b"\r\n--bb--\r\n"
        url = urllib.parse.urlsplit(signed["url"])
        link = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
        kind = {"Content-Type": "multipart/form-data; boundary=bb", "Origin": "https://a.example"}
        try:
            link.request("POST", url.path, body, kind)
            answer = link.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, headers, answer.read().decode()
        finally:
            link.close()

    def refusal(self, *given, **more):
        status, _, body = self.send(*given, **more)
        return status, body.partition("<Code>")[2].partition("</Code>")[0]


@pytest.fixture
def page(boto, function_name):
    s3 = boto("s3")
    name = function_name.lower()[-60:].strip("-")
    s3.create_bucket(Bucket=name)
    yield Page(s3, name)
    for each in s3.list_objects_v2(Bucket=name).get("Contents", ()):
        s3.delete_object(Bucket=name, Key=each["Key"])
    s3.delete_bucket(Bucket=name)


@pytest.fixture
def household(platform):
    made = Household(platform)
    yield made
    made.close()


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_form_uploads_what_its_policy_allows(platform, page, version):
    key_id, secret = platform.root_key()
    signer = make_client(
        "s3",
        REGION,
        endpoint_url=platform.endpoint,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        config=Config(signature_version=version),
    )
    fields = {"Content-Type": "image/png", "x-amz-meta-who": "me", "success_action_status": "201"}
    tags = "<Tagging><TagSet><Tag><Key>a b</Key><Value>&amp;</Value></Tag></TagSet></Tagging>"
    fields["tagging"] = tags
    signed = signer.generate_presigned_post(
        page.name,
        "in/${filename}",
        Fields=fields,
        Conditions=[
            *[{name: value} for name, value in fields.items()],
            ["content-length-range", 1, 300_000],
        ],
    )
    assert ("AWSAccessKeyId" in signed["fields"]) is (version == "s3")
    data = bytes(range(256)) * 1000
    status, headers, body = page.send(signed, data, filename="ä ö.png")
    assert status == 201, body
    assert "<Key>in/ä ö.png</Key>" in body
    assert headers["location"].endswith("/in%2F%C3%A4%20%C3%B6.png")
    found = page.s3.get_object(Bucket=page.name, Key="in/ä ö.png")
    assert (found["ContentType"], found["Metadata"]) == ("image/png", {"who": "me"})
    assert (found["Body"].read(), found["ETag"]) == (data, headers["etag"])
    kept = page.s3.get_object_tagging(Bucket=page.name, Key="in/ä ö.png")["TagSet"]
    assert kept == [{"Key": "a b", "Value": "&"}]
    assert page.refusal(signed, b"") == (400, "EntityTooSmall")
    assert page.refusal(signed, b"x" * 300_001) == (400, "EntityTooLarge")
    assert page.refusal(signed, also={"Content-Type": "text/html"}) == (403, "AccessDenied")
    assert page.refusal(signed, also={"Cache-Control": "no-store"}) == (403, "AccessDenied")
    forged = {**signed, "fields": {**signed["fields"], "policy": signed["fields"]["policy"][:-4]}}
    assert page.refusal(forged) == (403, "SignatureDoesNotMatch")
    assert page.s3.list_objects_v2(Bucket=page.name)["KeyCount"] == 1


def test_the_answer_is_what_the_form_asks_for(page):
    page.s3.put_bucket_cors(
        Bucket=page.name,
        CORSConfiguration={
            "CORSRules": [{"AllowedOrigins": ["https://a.example"], "AllowedMethods": ["POST"]}]
        },
    )
    anything = [["starts-with", "$success_action_redirect", ""]]
    anything += [["starts-with", "$success_action_status", ""]]
    signed = page.s3.generate_presigned_post(page.name, "k", Conditions=anything)
    status, headers, body = page.send(signed)
    assert (status, body) == (204, "")
    assert headers["access-control-allow-origin"] == "https://a.example"
    assert page.send(signed, also={"success_action_status": "200"})[0] == 200
    assert page.send(signed, also={"success_action_status": "404"})[0] == 204
    status, headers, _ = page.send(
        signed, also={"success_action_redirect": "https://b.example/done?x=1"}
    )
    target = urllib.parse.urlsplit(headers["location"])
    told = urllib.parse.parse_qs(target.query)
    assert (status, target.netloc, told["x"]) == (303, "b.example", ["1"])
    assert (told["bucket"], told["key"], told["etag"]) == ([page.name], ["k"], [headers["etag"]])
    for bad in ("javascript:alert(1)", "https://b.example/\r\nSet-Cookie: a=b"):
        assert page.send(signed, also={"success_action_redirect": bad})[0] == 204


def test_a_form_may_what_its_signer_may_and_strangers_what_the_bucket_lets_them(
    platform, page, household
):
    on = f"arn:aws:s3:::{page.name}/own/*"
    key = household.user(page.name[-40:], allow("s3:PutObject", on=on))
    user = household.client("s3", key)
    assert page.send(user.generate_presigned_post(page.name, "own/a"))[0] == 204
    other = user.generate_presigned_post(page.name, "other")
    assert page.refusal(other) == (403, "AccessDenied")
    assert page.refusal(user.generate_presigned_post(page.name, "own/b", ExpiresIn=-1)) == (
        403,
        "AccessDenied",
    )
    unsigned = {"url": other["url"], "fields": {"key": "public/a"}}
    assert page.refusal(unsigned) == (403, "AccessDenied")
    page.s3.delete_public_access_block(Bucket=page.name)
    statement = allow("s3:PutObject", on=f"arn:aws:s3:::{page.name}/public/*", Principal="*")
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    page.s3.put_bucket_policy(Bucket=page.name, Policy=json.dumps(policy))
    assert page.send(unsigned)[0] == 204
    assert page.refusal({**unsigned, "fields": {}}) == (400, "InvalidArgument")
    injected = {**unsigned, "fields": {"key": "public/b", "x-amz-meta-a: b": "d"}}
    assert page.refusal(injected) == (400, "InvalidArgument")
    folded = {**unsigned, "fields": {"key": "public/b", "x-amz-meta-a": "b\r\nset-cookie: c"}}
    assert page.refusal(folded) == (400, "InvalidArgument")
    copied = {**unsigned, "fields": {"key": "public/b", "x-amz-copy-source": f"{page.name}/own/a"}}
    assert page.send(copied, b"not a copy")[0] == 204
    found = page.s3.get_object(Bucket=page.name, Key="public/b")["Body"].read()
    assert found == b"not a copy"

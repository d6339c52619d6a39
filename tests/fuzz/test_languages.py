"""Small languages and formats: policies, patterns, packages, tokens. Named errors, in bounds."""

import contextlib
import io
import json
import tempfile
import warnings
import zipfile
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from alonzo.control.links import CodeLinks, LinkError
from alonzo.edge.function_urls.prelude import PreludeReader, split_whole
from alonzo.edge.function_urls.result import MalformedResultError, read_result
from alonzo.environments.links import error_type_of
from alonzo.environments.output import LineCutter, RecordCutter, is_shown
from alonzo.lib import event_patterns
from alonzo.lib.clock import ManualClock
from alonzo.lib.ids import SystemIds
from alonzo.lib.policies import principals
from alonzo.lib.policies.compiled import PolicyError, Request
from alonzo.lib.policies.evaluation import Policies, evaluate
from alonzo.lib.policies.grammar import read_identity, read_resource_based, read_trust
from alonzo.lib.zips import ZipError, extract, inspect
from alonzo.model.context import Principal, Session
from alonzo.model.errors import AwsError
from alonzo.model.ports.identity import AccessKey
from alonzo.services.iam.sessions import NotOurTokenError, TokenSealer
from alonzo.services.kms.sealing import Origin, SealError, decrypt, encrypt, origin_of
from alonzo.services.logs import filter_pattern
from alonzo.services.ssm.allowed_pattern import AllowedPattern, PatternError
from alonzo.testing.fuzzing import mutated, mutated_tree, pieces

A = "111111111111"
POLICY = {
    "Version": "2012-10-17",
    "Id": "i",
    "Statement": [
        {
            "Sid": "a",
            "Effect": "Allow",
            "Action": ["s3:Get*", "lambda:InvokeFunction"],
            "Resource": ["arn:aws:s3:::b/${aws:username}/*", "*"],
            "Condition": {
                "StringLike": {"aws:PrincipalTag/team": ["${aws:PrincipalTag/x, 'd'}", "b*"]},
                "IpAddress": {"aws:SourceIp": "10.0.0.0/8"},
                "ForAnyValue:StringEquals": {"aws:TagKeys": ["a", "b"]},
                "DateGreaterThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"},
                "NumericLessThanIfExists": {"s3:max-keys": "10"},
                "Bool": {"aws:SecureTransport": "true"},
                "ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"},
                "Null": {"aws:x": "true"},
            },
        },
        {
            "Effect": "Deny",
            "NotAction": "iam:*",
            "NotResource": "arn:aws:iam::1:user/b",
            "Principal": {"AWS": [A, f"arn:aws:iam::{A}:role/r"], "Service": "sns.amazonaws.com"},
        },
    ],
}
CONTEXT = {
    "aws:sourceip": "10.1.2.3",
    "aws:username": "u*${x}",
    "aws:tagkeys": ("a", "c"),
    "aws:currenttime": "2026-11-21T10:00:00Z",
    "aws:principaltag/team": "b",
    "s3:max-keys": "x",
}
CALLER = principals.role_session(
    f"arn:aws:sts::{A}:assumed-role/r/s", A, role_arn=f"arn:aws:iam::{A}:role/r", role_id="AROA",
    session_name="s",
)  # fmt: skip
EVENT = {"a": {"b": ["x", 1.5, None, True, {"c": "d" * 50}]}, "source": "s", "ip": "10.0.0.1"}
EVENT_PATTERN = {
    "a": {"b": ["x", {"prefix": "y"}, {"anything-but": ["z"]}, {"numeric": [">", 1, "<=", 2e3]}]},
    "source": [{"exists": True}, {"suffix": ".a"}, {"equals-ignore-case": "S"}],
    "$or": [{"q": [None]}, {"r": [{"exists": False}]}],
}
FILTER_PATTERNS = (
    '{ $.a.b[0] = "x*" && ($.c >= 1.5e3 || $.d IS NULL) && $.e NOT EXISTS }',
    "[ip, user=*admin*, ..., code=4*, size > 100]",
    'ERROR -"not this" ?WARN ?"a b" %[a-z]{2,9}(x|y)+\\d%',
)
LOG_LINES = (
    '{"a": {"b": ["xyz"]}, "c": 2000, "d": null}',
    "1.2.3.4 admin x [y z] 404 200",
    "E" * 900,
)
REGEX = "(a|b)+[^c-e]{1,3}\\d?.*(foo|ba[rz])$"


def text(data):
    return data.decode("utf-8", "surrogateescape")


def one_text(pick, document):
    """A document as text, changed as a document or as bytes."""
    if pick.random() < 0.6:
        return json.dumps(mutated_tree(pick, document))
    return text(mutated(pick, json.dumps(document).encode()))


def test_a_policy_is_read_and_judges_or_is_refused(fuzz):
    def step(pick):
        reader = pick.choice((read_identity, read_trust, read_resource_based))
        document = {**POLICY, "Statement": pick.sample(POLICY["Statement"], pick.choice((1, 2)))}
        for statement in document["Statement"]:
            if reader is read_identity or pick.random() < 0.3:
                document["Statement"] = [
                    {k: v for k, v in statement.items() if k != "Principal"}
                    if reader is read_identity
                    else {**statement, "Principal": "*"}
                ]
        try:
            _, policy = reader(one_text(pick, document))
        except (PolicyError, AwsError):
            return
        request = Request("s3:GetObject", "arn:aws:s3:::b/u/x", CALLER, A, CONTEXT)
        evaluate(request, Policies(identity=[policy], resource=policy, boundary=policy))

    fuzz(step)


def test_an_event_pattern_matches_or_is_refused(fuzz):
    def step(pick):
        try:
            pattern = event_patterns.parse(one_text(pick, EVENT_PATTERN))
        except event_patterns.PatternError:
            return
        with contextlib.suppress(ValueError):
            pattern.matches(event_patterns.read_document(one_text(pick, EVENT)))

    fuzz(step)


def test_a_filter_pattern_matches_or_is_refused(fuzz):
    def step(pick):
        pattern = text(mutated(pick, pick.choice(FILTER_PATTERNS).encode()))
        try:
            matches = filter_pattern.parse(pattern[:1024])
        except AwsError:
            return
        for line in LOG_LINES:
            if matches is not None:
                matches(text(mutated(pick, line.encode()))[:10_000])

    fuzz(step)


def test_an_allowed_pattern_matches_or_is_refused(fuzz):
    def step(pick):
        try:
            pattern = AllowedPattern(text(mutated(pick, REGEX.encode()))[:1024])
        except PatternError:
            return
        pattern.matches("ab" * pick.choice((1, 50, 2000)) + "c")

    fuzz(step)


def package(pick):
    out = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(out, "w") as archive:
        for number in range(pick.choice((1, 2, 5))):
            info = zipfile.ZipInfo(pick.choice(("a", "b/c.py", "d/", "../e", "/f", "a/b", "é" * 9)))
            info.create_system = pick.choice((0, 3))
            info.external_attr = pick.choice((0o100644, 0o120777, 0o040755, 0o010644, 0)) << 16
            kind = pick.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))
            info.compress_type = kind
            content = pick.choice((b"", b"x" * 5000, b"../..", b"a", bytes([number]) * 99))
            archive.writestr(info, content)
    return out.getvalue()


#: What stands at the ends of a package, where the numbers are that a reader trusts.
ZIP_TOKENS = (
    b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"\x01\x00\x10\x00",
    b"\xff\xff\xff\xff", b"\x00\x00\x00\x80", b"\x08\x00", b"\x00\x00", b"\xff\xff", b"../", b"\0",
)  # fmt: skip


def test_a_package_unpacks_inside_or_is_refused(fuzz):
    limits = {"unzipped_bytes_max": 100_000, "entries_max": 20}
    with tempfile.TemporaryDirectory() as folder:
        outer = Path(folder)
        count = iter(range(1 << 60))

        def step(pick):
            data = package(pick)
            for _ in range(pick.choice((0, 1, 1, 3))):
                data = mutated(pick, data, ZIP_TOKENS)
            try:
                facts = inspect(data, **limits)
            except ZipError:
                return
            inner = outer / str(next(count))
            inner.mkdir()
            try:
                assert extract(data, inner, **limits) == facts
                for path in inner.rglob("*"):
                    assert inner in path.resolve().parents or path.resolve() == inner
            except ZipError:
                pass
            finally:
                empty(inner)
            assert not list(outer.iterdir())

        fuzz(step)


def empty(folder):
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    folder.rmdir()


def test_a_result_of_a_function_url_is_read_or_refused(fuzz):
    document = {
        "statusCode": 200,
        "headers": {"Content-Type": "a/b", "X": ["1"]},
        "multiValueHeaders": {"Set-Cookie": ["a=b"]},
        "cookies": ["a=b; c"],
        "body": "aGVsbG8=",
        "isBase64Encoded": True,
    }

    def step(pick):
        payload = one_text(pick, document).encode("utf-8", "surrogateescape")
        for read in (read_result, split_whole):
            with contextlib.suppress(MalformedResultError):
                answer = read(payload)
                assert answer is None or 100 <= answer.status <= 999
        reader = PreludeReader()
        with contextlib.suppress(MalformedResultError):
            for piece in pieces(pick, mutated(pick, payload + b"\0" * 8 + b"body")):
                if reader.feed(piece) is not None:
                    break

    fuzz(step)


def test_what_a_function_prints_is_cut_into_events(fuzz):
    record = b"\xa5\x5a\x00\x03\x00\x00\x00\x05" + b"\0" * 8 + b"hello"
    line = b'{"level":"INFO","timestamp":"2026-11-21T10:00:00Z"}\nplain\r\n' + record

    def step(pick):
        data = mutated(pick, line * pick.choice((1, 3)))
        for cutter in (LineCutter(), RecordCutter()):
            events = [each for piece in pieces(pick, data) for each in cutter.feed(piece)]
            events += cutter.finish()
            for shown, _ in events:
                is_shown(shown, "INFO")
        error_type_of(data)

    fuzz(step)


def test_tokens_links_and_ciphertexts_of_others_are_refused(fuzz):
    sealer = TokenSealer(AESGCM(b"k" * 32), SystemIds())
    root = f"arn:aws:iam::{A}:root"
    caller = Principal(A, root, A, "ASIA1", is_root=True, session=Session("s", 1.0))
    key = AccessKey("ASIA1", "s", caller, expires_at_s=2e9)
    token = sealer.seal(key).session_token
    links = CodeLinks(b"k" * 32, ManualClock())
    path, _, query = links.url("http://x", "a" * 64).removeprefix("http://x").partition("?")

    def step(pick):
        changed = text(mutated(pick, token.encode()))
        with contextlib.suppress(NotOurTokenError):
            assert changed == token or sealer.open(changed).access_key_id == "ASIA1"
        with contextlib.suppress(LinkError):
            raw = mutated(pick, path.encode() + b"?" + query.encode()).partition(b"?")
            assert links.open(raw[0], raw[2]) == "a" * 64

    fuzz(step)


def test_a_changed_ciphertext_is_never_opened(fuzz):
    origin = Origin("00000000-0000-4000-8000-000000000001", 1)
    material = b"m" * 32
    blob = encrypt(material, origin, b"plain", {"a": "b"}, SystemIds())

    def step(pick):
        changed = mutated(pick, blob)
        with contextlib.suppress(SealError):
            origin_of(changed)
        with contextlib.suppress(SealError):
            opened = decrypt(material, changed, {"a": "b"})
            assert changed == blob, opened

    fuzz(step)

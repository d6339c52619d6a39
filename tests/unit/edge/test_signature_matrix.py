"""Every way to sign wrongly, in every protocol, by header and by presigned URL: AWS's codes.

The signer here is our own, so that it can be wrong in one thing and right in all others.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import cbor2
import pytest

from alonzo.edge.app import EdgeApp
from alonzo.edge.http1.head import Head
from alonzo.edge.http1.incoming import Incoming
from alonzo.edge.penalties import STRANGERS, Penalties
from alonzo.lib.clock import ManualClock
from alonzo.lib.ids import SequentialIds
from alonzo.model.context import Principal
from alonzo.model.errors import AwsError
from alonzo.model.ports.identity import AccessKey

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
REGION = "eu-west-1"
USER = Principal("111122223333", "arn:aws:iam::111122223333:user/u", "AIDA", "AKIDUSER")
TOKEN, OVER, FOREIGN = "a+token/=", "a token that is over", "the token of another key"


class Keys:
    """A user, a session, one that is over, and one whose token belongs to another key."""

    def find(self, access_key_id: str, session_token: str | None) -> AccessKey | None:
        match access_key_id, session_token:
            case "AKIDUSER", None:
                return AccessKey("AKIDUSER", "secret", USER)
            case "ASIASESSION", "a+token/=" | "a token that is over":
                ends_at_s = NOW.timestamp() + (60 if session_token == TOKEN else -1)
                return AccessKey("ASIASESSION", "secret", USER, session_token, ends_at_s)
            case _:
                return None


@dataclass(frozen=True)
class Sent:
    """One request and how it is signed."""

    method: str
    path: str
    service: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    query: str = ""
    presigned: bool = False
    algorithm: str = "AWS4-HMAC-SHA256"
    key_id: str = "AKIDUSER"
    secret: str = "secret"
    token: str | None = None
    at: datetime = NOW
    scope_date: str | None = None
    region: str = REGION
    terminator: str = "aws4_request"
    expires: str = "300"
    host: str = "127.0.0.1:4566"
    unsigned: frozenset[str] = frozenset()

    @property
    def stamp(self) -> str:
        return self.at.strftime("%Y%m%dT%H%M%SZ")

    @property
    def scope(self) -> str:
        date = self.scope_date or self.stamp[:8]
        return f"{date}/{self.region}/{self.service}/{self.terminator}"

    def signed(self) -> Wire:
        """The request as it goes out."""
        fields = {"host": self.host, **self.headers}
        pairs = [piece.split("=", 1) for piece in self.query.split("&") if piece]
        extra = {"Date": self.stamp}
        if self.token is not None:
            extra["Security-Token"] = self.token
        if self.presigned:
            names = ";".join(sorted(set(fields) - self.unsigned))
            extra |= {
                "Algorithm": self.algorithm,
                "Credential": f"{self.key_id}/{self.scope}",
                "SignedHeaders": names,
                "Expires": self.expires,
            }
            pairs += [[f"X-Amz-{name}", quote(text, safe="")] for name, text in extra.items()]
        else:
            fields |= {f"x-amz-{name.lower()}": text for name, text in extra.items()}
            names = ";".join(sorted(set(fields) - self.unsigned))
        query = "&".join("=".join(pair) for pair in sorted(pairs))
        lines = "".join(f"{name}:{fields[name]}\n" for name in names.split(";"))
        canonical = (
            f"{self.method}\n{self.path}\n{query}\n{lines}\n{names}\n"
            + sha256(self.body).hexdigest()
        )
        digest = sha256(canonical.encode()).hexdigest()
        key = f"AWS4{self.secret}".encode()
        for part in (
            *self.scope.split("/"),
            f"{self.algorithm}\n{self.stamp}\n{self.scope}\n{digest}",
        ):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = key.hex()
        headers = list(fields.items())
        if self.presigned:
            query += f"&X-Amz-Signature={signature}"
        else:
            credential = f"{self.key_id}/{self.scope}"
            said = f"Credential={credential}, SignedHeaders={names}, Signature={signature}"
            headers.append(("authorization", f"{self.algorithm} {said}"))
        return Wire(self.method, self.path, query, headers, self.body)


@dataclass
class Wire:
    """A request as bytes, to be tampered with."""

    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes

    def set(self, name: str, change: Callable[[str], str]) -> Wire:
        self.headers = [(n, change(v) if n == name else v) for n, v in self.headers]
        return self


#: One operation for each protocol. Every service answers in its own.
PROTOCOLS = {
    "rest-json": Sent("GET", "/2015-03-31/functions", "lambda", query="MaxItems=5"),
    "json": Sent(
        "POST",
        "/",
        "logs",
        {
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": "Logs_20140328.DescribeLogGroups",
        },
        b'{"limit": 5}',
    ),
    "query": Sent(
        "POST",
        "/",
        "sts",
        {"content-type": "application/x-www-form-urlencoded"},
        b"Action=GetCallerIdentity&Version=2011-06-15",
    ),
    "cbor": Sent(
        "POST",
        "/service/GraniteServiceVersion20100801/operation/ListMetrics",
        "monitoring",
        {"content-type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"},
        cbor2.dumps({}),
    ),
    "rest-xml": Sent("GET", "/2013-04-01/hostedzone", "route53", query="maxitems=5"),
}
_SERVICES = {
    "lambda": "ListFunctions",
    "logs": "DescribeLogGroups",
    "sts": "GetCallerIdentity",
    "cloudwatch": "ListMetrics",
    "route53": "ListHostedZones",
}

JSON_CODES = {
    "missing": "MissingAuthenticationTokenException",
    "unknown": "UnrecognizedClientException",
    "mismatch": "InvalidSignatureException",
    "token over": "ExpiredTokenException",
    "url over": "InvalidSignatureException",
    "incomplete": "IncompleteSignatureException",
}
XML_CODES = {
    "missing": "MissingAuthenticationToken",
    "unknown": "InvalidClientTokenId",
    "mismatch": "SignatureDoesNotMatch",
    "token over": "ExpiredToken",
    "url over": "RequestExpired",
    "incomplete": "IncompleteSignature",
}
#: Codes, and the status of all refusals but "incomplete", which is 400 everywhere.
ANSWERS = {
    "rest-json": (JSON_CODES, 403),
    "json": (JSON_CODES, 400),
    "cbor": (JSON_CODES, 400),
    "query": (XML_CODES, 403),
    "rest-xml": (XML_CODES, 403),
}

DIFFERS = "The request signature we calculated does not match the signature you provided."
INVALID = "The security token included in the request is invalid."


class Door:
    """The application with one operation a protocol; whoever gets in is answered "in"."""

    def __init__(self, penalties: Penalties | None = None) -> None:
        async def enter(*_: Any) -> Mapping[str, Any]:
            raise AwsError("InsideException", "in", status=418)

        self.incoming: Incoming
        self.app = EdgeApp(
            operations={name: {operation: enter} for name, operation in _SERVICES.items()},
            invoker=None,  # pyright: ignore[reportArgumentType] - nothing here is invoked
            keys=Keys(),
            clock=ManualClock(NOW.timestamp()),
            ids=SequentialIds(),
            account="000000000000",
            auth="sigv4",
            penalties=penalties,
        )

    async def ask(self, wire: Wire) -> tuple[int, str, str]:
        """Status, code and text of the answer."""
        pairs = [(name.encode(), text.encode()) for name, text in wire.headers]
        pairs.append((b"content-length", b"%d" % len(wire.body)))
        head = Head(wire.method, wire.path.encode(), wire.query.encode(), pairs)
        incoming = Incoming(
            self, head, "192.0.2.1", http_1_0=False, keep_alive=True, expects_continue=False
        )
        incoming.feed(wire.body)
        incoming.finish()
        response = await self.app.handle(incoming)
        assert response is not None
        assert isinstance(response.body, bytes)
        return response.status, *read_error(response.fields, response.body)

    def wants_body(self, incoming: Incoming) -> None:
        raise AssertionError("all of it is here")

    def begin_answer(self, incoming: Incoming, response: Any) -> Any:
        raise AssertionError("nothing is streamed")


def read_error(fields: bytes, body: bytes) -> tuple[str, str]:
    """Code and text, found where the clients of the protocol look."""
    if b"application/cbor" in fields:
        document = cbor2.loads(body)
    elif body.startswith(b"{"):
        document = json.loads(body)
    else:
        code, text = (
            re.search(f"<{name}>(.*?)</{name}>", body.decode()) for name in ("Code", "Message")
        )
        assert code is not None, body
        assert text is not None, body
        return code[1], text[1].replace("&apos;", "'").replace("&quot;", '"')
    header = re.search(rb"x-amzn-errortype: ([^\r]+)\r\n", fields)
    code = document["__type"] if "__type" in document else header[1].decode() if header else ""
    return code.rpartition("#")[2], document.get("message") or document.get("Message") or ""


def signed_with(**wrong: Any) -> Callable[[Sent], Wire]:
    """Signed rightly, for something else than the rules have."""
    return lambda sent: replace(sent, **wrong).signed()


def session(token: str | None, **more: Any) -> Callable[[Sent], Wire]:
    return signed_with(key_id="ASIASESSION", token=token, **more)


def unsigned(sent: Sent) -> Wire:
    wire = sent.signed()
    wire.headers = [pair for pair in wire.headers if pair[0] != "authorization"]
    wire.query = sent.query
    return wire


def tampered(part: str, change: Callable[[Any], Any]) -> Callable[[Sent], Wire]:
    """One part of the request is another once it is signed."""

    def build(sent: Sent) -> Wire:
        wire = sent.signed()
        setattr(wire, part, change(getattr(wire, part)))
        return wire

    return build


def other_header(sent: Sent) -> Wire:
    return sent.signed().set("host", lambda _: "localhost:4566")


def added_header(sent: Sent) -> Wire:
    wire = sent.signed()
    wire.headers.append(("x-amz-added", "1"))
    return wire


def other_signature(change: Callable[[str], str]) -> Callable[[Sent], Wire]:
    def build(sent: Sent) -> Wire:
        wire = sent.signed()
        wire.query = re.sub("(X-Amz-Signature=)(.*)", lambda m: m[1] + change(m[2]), wire.query)
        return wire.set(
            "authorization", lambda v: re.sub("(Signature=)(.*)", lambda m: m[1] + change(m[2]), v)
        )

    return build


def twice(sent: Sent) -> Wire:
    wire = sent.signed()
    if sent.presigned:
        wire.query += "&X-Amz-Signature=" + "0" * 64
    else:
        wire.headers.append(next(pair for pair in wire.headers if pair[0] == "authorization"))
    return wire


def both_ways(sent: Sent) -> Wire:
    header, url = replace(sent, presigned=False).signed(), replace(sent, presigned=True).signed()
    header.query = url.query
    return header


def without_date(sent: Sent) -> Wire:
    wire = sent.signed()
    wire.headers = [pair for pair in wire.headers if pair[0] != "x-amz-date"]
    wire.query = re.sub("X-Amz-Date=[^&]*&", "", wire.query)
    return wire


def moved(**ago: float) -> datetime:
    return NOW - timedelta(**ago)


BOTH, HEADER, URL = (False, True), (False,), (True,)

#: Name → the request, by which ways, the kind of refusal, and how its text begins or what is in it.
CASES: dict[str, tuple[Callable[[Sent], Wire], tuple[bool, ...], str, str]] = {
    "not signed": (unsigned, HEADER, "missing", "Missing Authentication Token"),
    "an unknown key": (signed_with(key_id="AKIDNOBODY"), BOTH, "unknown", INVALID),
    "the wrong secret": (signed_with(secret="Secret"), BOTH, "mismatch", DIFFERS),
    "another body": (tampered("body", lambda body: body + b" "), BOTH, "mismatch", DIFFERS),
    "another query": (
        tampered("query", lambda query: f"added=1&{query}".rstrip("&")),
        BOTH,
        "mismatch",
        DIFFERS,
    ),
    "another method": (tampered("method", lambda _: "PUT"), BOTH, "mismatch", DIFFERS),
    "another host": (other_header, BOTH, "mismatch", DIFFERS),
    "another path": (
        tampered("path", lambda path: f"{path.rstrip('/')}/x"),
        BOTH,
        "mismatch",
        DIFFERS,
    ),
    "a header added": (added_header, BOTH, "mismatch", "not signed: x-amz-added"),
    "host not signed": (signed_with(unsigned=frozenset({"host"})), HEADER, "mismatch", "'Host'"),
    "date not signed": (
        signed_with(unsigned=frozenset({"x-amz-date"})),
        *(HEADER, "mismatch", "not signed: x-amz-date"),
    ),
    "token not signed": (
        session(TOKEN, unsigned=frozenset({"x-amz-security-token"})),
        *(HEADER, "mismatch", "not signed: x-amz-security-token"),
    ),
    "a signature cut short": (other_signature(lambda s: s[:-1]), BOTH, "mismatch", DIFFERS),
    "a signature in capitals": (other_signature(str.upper), BOTH, "mismatch", DIFFERS),
    "no signature": (other_signature(lambda _: ""), BOTH, "incomplete", "Signature'"),
    "two signatures": (twice, BOTH, "incomplete", "once|Only one"),
    "header and query": (both_ways, HEADER, "incomplete", "Only one auth mechanism"),
    "another algorithm": (
        signed_with(algorithm="AWS4-HMAC-SHA1"),
        BOTH,
        "incomplete",
        "Unsupported",
    ),
    "no date": (without_date, BOTH, "incomplete", "Date"),
    "16 minutes late": (
        signed_with(at=moved(minutes=16)),
        HEADER,
        "mismatch",
        "Signature expired: ",
    ),
    "a URL that is over": (
        signed_with(at=moved(seconds=301)),
        *(URL, "url over", "Signature expired: "),
    ),
    "16 minutes early": (
        signed_with(at=moved(minutes=-16)),
        *(BOTH, "mismatch", "Signature not yet current: "),
    ),
    "the scope of another day": (
        signed_with(scope_date="20261120"),
        *(BOTH, "mismatch", "Date in Credential scope does not match"),
    ),
    "a region that is none": (signed_with(region="nowhere"), BOTH, "mismatch", "valid Region"),
    "the region of another host": (
        # The host says it is eu-west-1's; nothing else of the request does.
        lambda sent: replace(
            sent, host=f"{sent.service}.eu-west-1.localhost", region="eu-west-3"
        ).signed(),
        *(BOTH, "mismatch", "valid Region, not 'eu-west-3'"),
    ),
    "the service of another host": (
        lambda sent: replace(
            sent, host=f"{sent.service}.eu-west-1.localhost", service="kms"
        ).signed(),
        *(BOTH, "mismatch", "scoped to correct service: '"),
    ),
    "a terminator that is none": (
        signed_with(terminator="aws5_request"),
        *(BOTH, "mismatch", "valid terminator: 'aws4_request'"),
    ),
    "a session that is over": (session(OVER), BOTH, "token over", "The security token included"),
    "the token of another key": (session(FOREIGN), BOTH, "unknown", INVALID),
    "a session without its token": (session(None), BOTH, "unknown", INVALID),
    "a token beside a user's key": (signed_with(token=TOKEN), BOTH, "unknown", INVALID),
    "a URL for more than a week": (signed_with(expires="604801"), URL, "incomplete", "less than"),
    "a URL for no number": (signed_with(expires="soon"), URL, "incomplete", "X-Amz-Expires"),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_who_signs_rightly_gets_in_and_may_come_again(protocol: str) -> None:
    async def main() -> None:
        door = Door()
        for presigned in BOTH:
            sent = replace(PROTOCOLS[protocol], presigned=presigned)
            for good in (
                sent,
                replace(sent, key_id="ASIASESSION", token=TOKEN),
                replace(sent, at=moved(minutes=14), expires="900"),
                replace(sent, at=moved(minutes=-14)),
                replace(sent, host=f"{sent.service}.{REGION}.localhost"),
            ):
                # A copy is as good as the original, as on AWS: nothing is kept of what was seen.
                for _ in range(2):
                    assert (await door.ask(good.signed()))[0] == 418, (protocol, good)

    asyncio.run(main())


@pytest.mark.parametrize("case", CASES)
def test_who_signs_wrongly_is_refused_with_aws_s_code(case: str) -> None:
    build, ways, kind, text = CASES[case]

    async def main() -> None:
        door = Door()
        for protocol, sent in PROTOCOLS.items():
            codes, status = ANSWERS[protocol]
            for presigned in ways:
                answer = await door.ask(build(replace(sent, presigned=presigned)))
                where = (protocol, "URL" if presigned else "header", answer)
                assert answer[0] == (400 if kind == "incomplete" else status), where
                assert answer[1] == codes[kind], where
                assert re.search(text, answer[2]), where

    asyncio.run(main())


def test_a_scope_for_another_service_is_refused_in_the_words_of_the_right_one() -> None:
    async def main() -> None:
        door = Door()
        for protocol in ("rest-json", "json", "cbor"):
            sent = PROTOCOLS[protocol]
            codes, status = ANSWERS[protocol]
            said = f"Credential should be scoped to correct service: '{sent.service}'. "
            answer = await door.ask(replace(sent, service="sts").signed())
            assert answer == (status, codes["mismatch"], said)

    asyncio.run(main())


def test_who_guesses_is_answered_ever_more_slowly_and_others_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []

    async def sleep(wait_s: float) -> None:
        waits.append(wait_s)

    monkeypatch.setattr(asyncio, "sleep", sleep)

    async def main() -> None:
        door, sent = Door(Penalties()), PROTOCOLS["json"]
        for n in range(STRANGERS.free + 3):
            await door.ask(replace(sent, secret=f"guess {n}").signed())
            assert (await door.ask(sent.signed()))[0] == 418
        # Wrong clocks are no guesses.
        await door.ask(replace(sent, at=moved(minutes=16)).signed())

    asyncio.run(main())
    assert waits == [0.1, 0.2, 0.4]

"""No secret gets where it does not belong: audit log, daemon's log, errors, ``ps``, core dumps.

One platform for all of it. It keeps data events too, and was started where cores may be dumped.
"""

import base64
import itertools
import json
import os
import signal
import stat
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, prepare_request_dict
from botocore.credentials import Credentials
from botocore.model import ListShape, MapShape, StructureShape
from botocore.serialize import create_serializer

from alonzo.audit.masking import HIDDEN
from alonzo.cli.audit import Reader
from alonzo.daemon.catalog import SERVICES
from alonzo.testing.clients import botocore_session
from alonzo.testing.daemon import DaemonProcess
from alonzo.testing.functions import deploy
from alonzo.testing.residue import descendants

MARK = "mArKeR7f3a9c"
ENCODED = base64.b64encode(MARK.encode()).decode().rstrip("=")[:-1]
#: What the models do not mark and is secret, or data, all the same.
UNMARKED = {
    "lambda": {"ClientContext", "EventSourceToken", "InvokeArgs"},
    "sqs": {"MessageBody", "ReceiptHandle", "StringValue"},
    "sns": {"Message", "Subject", "Endpoint", "Token", "StringValue", "PhoneNumber"},
    "logs": {"message"},
    "kms": {"GrantToken", "GrantTokens"},
    "sts": {"TokenCode", "EncodedMessage"},
    "iam": {"AuthenticationCode1", "AuthenticationCode2"},
    "events": {"Detail", "Input", "Event"},
    "dynamodb": {"Statement", "S", "N"},
}
#: The code of a function has to be a package, and its variables are looked at by the last test.
SHELL = (
    "/bin/sh",
    "-c",
    'cd "$CORES"; ulimit -c unlimited; exec "$0" -m alonzo "$@"',
    sys.executable,
)


@pytest.fixture
def daemon(running):
    yield running
    running.close_clients()


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    folder = tmp_path_factory.mktemp("masking")
    daemon = DaemonProcess(
        folder / "data", "--audit", "all", command=SHELL, environment={"CORES": str(folder)}
    )
    daemon.start()
    yield daemon
    if daemon.is_running:
        daemon.stop()


class Filler:
    """Makes parameters: what is needed, and the marker wherever a secret may stand."""

    def __init__(self, service, mark, *, unmarked):
        self._unmarked = UNMARKED.get(service, set()) if unmarked else set()
        self._marks_model = not unmarked
        self._mark = mark
        self.marked = 0

    def structure(self, shape, depth=0):
        made = {}
        for name, member in shape.members.items():
            value = self.member(name, member, depth, needed=name in shape.required_members)
            if value is not None:
                made[name] = value
        return made

    def member(self, name, shape, depth, *, needed):
        marked = shape.metadata.get("sensitive") or shape.type_name == "blob"
        if (marked and self._marks_model) or name in self._unmarked:
            return self.secret(shape, depth)
        if depth > 5 or shape.serialization.get("eventstream"):
            return None
        before = self.marked
        if isinstance(shape, StructureShape):
            value = self.structure(shape, depth + 1)
        elif isinstance(shape, ListShape):
            value = [self.member(name, shape.member, depth + 1, needed=needed) or "thing"]
        elif isinstance(shape, MapShape):
            value = {"thing": self.member(name, shape.value, depth + 1, needed=needed) or "thing"}
        else:
            value = _plain(shape)
        return value if needed or self.marked > before else None

    def secret(self, shape, depth):
        if isinstance(shape, StructureShape):
            return self.structure(shape, depth + 1)
        if isinstance(shape, ListShape):
            return [self.secret(shape.member, depth + 1)]
        if isinstance(shape, MapShape):
            return {self._mark: self.secret(shape.value, depth + 1)}
        if shape.type_name not in ("string", "blob"):
            return _plain(shape)
        self.marked += 1
        return self._mark.encode() if shape.type_name == "blob" else self._mark


def _plain(shape):
    if shape.type_name == "string":
        return shape.enum[0] if shape.enum else "thing".ljust(shape.metadata.get("min", 0), "x")
    return {"boolean": True, "timestamp": 1_800_000_000, "blob": b"thing"}.get(shape.type_name, 1)


def requests(daemon, service, mark, *, unmarked):
    """One signed request for each operation that takes a secret, with as many as there can be."""
    model = botocore_session().get_service_model(service.name)
    signer = SigV4Auth(
        Credentials(*daemon.root_key()), model.signing_name or service.name, "us-east-1"
    )
    for name in model.operation_names:
        operation = model.operation_model(name)
        if name in service.unsupported or operation.input_shape is None:
            continue
        filler = Filler(service.name, mark, unmarked=unmarked)
        params = filler.structure(operation.input_shape)
        if not filler.marked:
            continue
        serializer = create_serializer(model.resolved_protocol, include_validation=False)
        made = serializer.serialize_to_request(params, operation)
        prepare_request_dict(made, endpoint_url=daemon.endpoint, context={})
        request = AWSRequest(
            made["method"], made["url"], made["headers"], made["body"], made.get("query_string")
        )
        signer.add_auth(request)
        prepared = request.prepare()
        body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
        yield (
            name,
            urllib.request.Request(
                prepared.url, body, dict(prepared.headers), method=prepared.method
            ),
        )


def answer(request):
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read().decode("latin-1")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode("latin-1")
    except urllib.error.URLError as error:
        # Headers that are too long are refused before all of them are here.
        if not isinstance(error.reason, ConnectionResetError):
            raise
        return 431, ""


def logged(daemon):
    """Everything in the audit log, once what was asked so far is in it."""
    group = f"g{os.urandom(4).hex()}"
    daemon.client("iam").create_group(GroupName=group)
    records = []
    reader = Reader(daemon.data_dir / "audit")
    for _ in range(1000):
        records += reader.new()
        if any(group in json.dumps(record.get("responseElements")) for record in records):
            return records
        signal.sigtimedwait([], 0.02)
    raise AssertionError("the audit log does not hear of anything")


@pytest.mark.parametrize("unmarked", [False, True])
@pytest.mark.parametrize("length", [1, 9000])
def test_no_operation_lets_a_secret_into_a_log_or_an_error(daemon, length, unmarked):
    asked = {}
    # A long one breaks every limit, so that messages of validation are looked at too.
    for service in SERVICES:
        for name, request in requests(daemon, service, MARK * length, unmarked=unmarked):
            status, text = answer(request)
            assert status < 500 or status == 501, (service.name, name, text)
            # What no model marks is repeated to who sent it, as AWS does; but to nobody else.
            if status >= 300 and not unmarked:
                assert MARK not in text, (service.name, name, text)
                assert ENCODED not in text, (service.name, name, text)
            asked[service.name, name] = status
    there = {key[0] for key in asked}
    wanted = {"lambda", "kms"} if unmarked else {"lambda", "kms", "ssm", "secretsmanager"}
    assert wanted <= there
    assert len(asked) > 10
    records = logged(daemon)
    leaks = [each for each in records if MARK in json.dumps(each) or ENCODED in json.dumps(each)]
    assert not leaks, leaks[0]
    written = json.dumps(records)
    assert all(f'"{service}.amazonaws.com"' in written for service in wanted)
    assert HIDDEN in written
    assert MARK not in daemon.log
    assert ENCODED not in daemon.log


def test_secrets_that_the_platform_makes_are_in_no_log(daemon):
    iam, sts = daemon.client("iam"), daemon.client("sts")
    iam.create_user(UserName="masked")
    secrets = [iam.create_access_key(UserName="masked")["AccessKey"]["SecretAccessKey"]]
    session = sts.get_session_token()["Credentials"]
    kms = daemon.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    data_key = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    password = daemon.client("secretsmanager").get_random_password()["RandomPassword"]
    secrets += [
        session["SecretAccessKey"],
        session["SessionToken"],
        daemon.root_key()[1],
        base64.b64encode(data_key["Plaintext"]).decode(),
        base64.b64encode(data_key["CiphertextBlob"]).decode(),
        password,
    ]
    records = logged(daemon)
    assert {"CreateAccessKey", "GetSessionToken", "GenerateDataKey", "GetRandomPassword"} <= {
        record["eventName"] for record in records
    }
    written = "".join(path.read_text() for path in (daemon.data_dir / "audit").glob("*.jsonl"))
    for secret, text in itertools.product(secrets, (written, daemon.log)):
        assert secret not in text


def test_who_is_turned_away_is_recorded_and_the_stranger_learns_nothing_more(daemon):
    iam = daemon.client("iam")
    iam.create_user(UserName="forged")
    key_id = iam.create_access_key(UserName="forged")["AccessKey"]["AccessKeyId"]
    request = AWSRequest("GET", f"{daemon.endpoint}/2015-03-31/functions")
    SigV4Auth(Credentials(key_id, "not-the-secret"), "lambda", "us-east-1").add_auth(request)
    prepared = request.prepare()
    status, text = answer(urllib.request.Request(prepared.url, headers=dict(prepared.headers)))
    assert (status, "signature" in text) == (403, True)
    (record,) = [
        each for each in logged(daemon) if each["userIdentity"].get("accessKeyId") == key_id
    ]
    assert record["userIdentity"]["type"] == "Unknown"
    assert (record["eventName"], record["errorCode"]) == (
        "ListFunctions20150331",
        "InvalidSignatureException",
    )


def test_no_process_shows_a_secret_in_its_arguments_and_none_may_dump_core(daemon):
    source = "import time\n\ndef handler(event, context):\n    return 'ok'\n"
    client = daemon.client("lambda")
    function = deploy(client, "shown", source, Environment={"Variables": {"TOKEN": MARK}})
    try:
        client.invoke(FunctionName="shown", Payload=f'"{MARK}"')
        list(client.invoke_with_response_stream(FunctionName="shown")["EventStream"])
        records = [each for each in logged(daemon) if "shown" in str(each["requestParameters"])]
        assert {each["eventName"] for each in records if each["eventCategory"] == "Data"} == {
            "Invoke",
            "InvokeWithResponseStream",
        }
        assert MARK not in json.dumps(records)
        secrets = [MARK.encode(), daemon.root_key()[1].encode()]
        looked_at = 0
        for pid in [daemon.pid, *descendants(daemon.pid)]:
            folder = Path("/proc", str(pid))
            try:
                arguments = (folder / "cmdline").read_bytes()
                environment = (folder / "environ").read_bytes()
                limits = (folder / "limits").read_text()
                mode = (folder / "environ").stat().st_mode
            except (FileNotFoundError, ProcessLookupError):
                continue  # It has just ended.
            looked_at += 1
            assert not any(secret in arguments for secret in secrets), arguments
            # A function's own process has its variables, and shows them to its own user alone.
            assert secrets[1] not in environment
            assert not stat.S_IMODE(mode) & 0o077
            (line,) = [each for each in limits.splitlines() if each.startswith("Max core file")]
            assert line.split()[4:6] in (["0", "0"], ["1", "1"]), (arguments, line)
        assert looked_at > 3
    finally:
        function.delete()


def test_nothing_in_the_data_directory_is_for_others(daemon):
    open_to_others = [
        str(path)
        for path in [daemon.data_dir, *daemon.data_dir.iterdir(),
                     *(daemon.data_dir / "keys").iterdir(), *(daemon.data_dir / "audit").iterdir()]
        if stat.S_IMODE(path.stat().st_mode) & 0o077
    ]  # fmt: skip
    assert stat.S_IMODE(daemon.data_dir.stat().st_mode) == 0o700
    assert not open_to_others


def test_a_daemon_that_crashes_leaves_no_core_with_its_keys_and_says_that_it_crashed(daemon):
    where = Path(f"/proc/{daemon.pid}/cwd").resolve()
    before = set(where.iterdir())
    os.kill(daemon.pid, signal.SIGABRT)
    status = daemon._reap(daemon._running(), 20)
    assert status == -signal.SIGABRT
    assert set(where.iterdir()) == before
    daemon.start()
    daemon.stop()
    starts = [
        each["serviceEventDetails"]["cleanStop"]
        for each in Reader(daemon.data_dir / "audit").new()
        if each["eventName"] == "AuditLogStarted"
    ]
    assert starts == [True, False]

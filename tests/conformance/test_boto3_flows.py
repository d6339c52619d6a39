"""boto3, unmodified and with its own defaults, through everything that a deployment tool does."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from botocore.exceptions import ClientError, WaiterError

from alonzo.testing.functions import PYTHON_RUNTIME, ROLE, package

ECHO = "def handler(event, context): return event"
#: For waiters that poll every few seconds in real life.
QUICK = {"Delay": 0.02, "MaxAttempts": 500}
MANY = 60


@pytest.fixture
def session(platform, monkeypatch, tmp_path):
    """Makes clients as a script does; fails the test if one of them had to try a call again."""
    key_id, secret = platform.root_key()
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ENDPOINT_URL": platform.endpoint,
        "AWS_ACCESS_KEY_ID": key_id,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_CONFIG_FILE": str(tmp_path / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "no-credentials"),
    }.items():
        monkeypatch.setenv(name, value)
    clients, repeated = [], []

    def note(model, parsed, **_):
        if parsed["ResponseMetadata"].get("RetryAttempts"):
            repeated.append(model.name)

    def make(service, region="us-east-1"):
        client = boto3.session.Session(region_name=region).client(service)
        client.meta.events.register("after-call", note)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()
    assert not repeated


def request(name, source=ECHO, **members):
    return {
        "FunctionName": name,
        "Runtime": PYTHON_RUNTIME,
        "Role": ROLE,
        "Handler": "handler.handler",
        "Code": {"ZipFile": package(source)},
        **members,
    }


def slow_package(source=ECHO):
    """A package whose unpacking takes so long that a request in between meets its state."""
    return package({"handler.py": source, **{f"data/{n}": "x" for n in range(3000)}})


def payload(client, name, event=None, **members):
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event), **members)
    return json.loads(answer["Payload"].read())


@pytest.mark.parametrize(
    "waiter",
    [
        "function_exists",
        "function_active",
        "function_active_v2",
        "function_updated",
        "function_updated_v2",
        "published_version_active",
    ],
)
def test_every_waiter_ends_once_the_function_is_ready(session, function_name, waiter):
    client = session("lambda")
    client.create_function(**request(function_name))
    try:
        client.get_waiter(waiter).wait(FunctionName=function_name, WaiterConfig=QUICK)
        if waiter != "function_exists":
            document = client.get_function_configuration(FunctionName=function_name)
            assert (document["State"], document["LastUpdateStatus"]) == ("Active", "Successful")
    finally:
        client.delete_function(FunctionName=function_name)


def test_function_exists_waits_for_one_that_comes_later(session, function_name):
    client = session("lambda")
    seen_missing = []
    client.meta.events.register(
        "after-call.lambda.GetFunction",
        lambda parsed, **_: seen_missing.append("Error" in parsed),
    )
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(
            client.get_waiter("function_exists").wait,
            FunctionName=function_name,
            WaiterConfig=QUICK,
        )
        while not seen_missing:
            time.sleep(0.005)
        client.create_function(**request(function_name))
        waiting.result(timeout=10)
    client.delete_function(FunctionName=function_name)
    assert (seen_missing[0], seen_missing[-1]) == (True, False)
    with pytest.raises(WaiterError, match="Max attempts exceeded"):
        client.get_waiter("function_exists").wait(
            FunctionName=function_name, WaiterConfig={"Delay": 0.01, "MaxAttempts": 2}
        )


def test_a_function_that_is_being_created_takes_no_invoke_and_no_update(session, function_name):
    client = session("lambda")
    created = client.create_function(**request(function_name, Code={"ZipFile": slow_package()}))
    try:
        assert created["State"] == "Pending"
        assert (created["StateReasonCode"], created["StateReason"]) == (
            "Creating",
            "The function is being created.",
        )
        assert "LastUpdateStatus" not in created
        for call in (
            lambda: client.update_function_configuration(FunctionName=function_name, Timeout=5),
            lambda: client.invoke(FunctionName=function_name),
        ):
            with pytest.raises(client.exceptions.ResourceConflictException) as refused:
                call()
            assert refused.value.response["Error"]["Message"] == (
                "The operation cannot be performed at this time. The function is currently in the "
                "following state: Pending"
            )
        client.get_waiter("function_active_v2").wait(FunctionName=function_name, WaiterConfig=QUICK)
        assert payload(client, function_name, "at last") == "at last"
    finally:
        client.delete_function(FunctionName=function_name)


def test_while_an_update_runs_the_old_code_serves_and_another_update_is_refused(
    session, function_name
):
    client = session("lambda")
    arn = client.create_function(**request(function_name))["FunctionArn"]
    name = {"FunctionName": function_name}
    try:
        client.get_waiter("function_active_v2").wait(**name, WaiterConfig=QUICK)
        assert payload(client, function_name, "cold") == "cold"
        new = slow_package("def handler(event, context): return 'new'")
        updated = client.update_function_code(**name, ZipFile=new)
        assert (updated["State"], updated["LastUpdateStatus"]) == ("Active", "InProgress")
        assert updated["LastUpdateStatusReasonCode"] == "Creating"
        assert payload(client, function_name, "old") == "old"
        in_progress = (
            "The operation cannot be performed at this time. An update is in progress for "
            f"resource: {arn}"
        )
        for call in (
            lambda: client.update_function_code(**name, ZipFile=package(ECHO)),
            lambda: client.update_function_configuration(**name, Timeout=5),
            lambda: client.tag_resource(Resource=arn, Tags={"k": "v"}),
        ):
            with pytest.raises(client.exceptions.ResourceConflictException) as refused:
                call()
            assert refused.value.response["Error"]["Message"] == in_progress
        client.get_waiter("function_updated_v2").wait(**name, WaiterConfig=QUICK)
        assert payload(client, function_name, "old") == "new"
    finally:
        client.delete_function(**name)


def test_an_update_for_another_revision_changes_nothing(session, function_name):
    client = session("lambda")
    name = {"FunctionName": function_name}
    revisions = [client.create_function(**request(function_name))["RevisionId"]]
    try:
        client.get_waiter("function_active_v2").wait(**name, WaiterConfig=QUICK)
        revisions.append(client.get_function_configuration(**name)["RevisionId"])
        for call in (
            lambda **more: client.update_function_code(**name, ZipFile=package("x"), **more),
            lambda **more: client.update_function_configuration(**name, Timeout=9, **more),
        ):
            with pytest.raises(client.exceptions.PreconditionFailedException) as refused:
                call(RevisionId=revisions[0])
            assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
            assert refused.value.response["Error"]["Message"] == (
                "The Revision Id provided does not match the latest Revision Id. Call the "
                "GetFunction/GetAlias API to retrieve the latest Revision Id"
            )
        unchanged = client.get_function_configuration(**name)
        assert (unchanged["RevisionId"], unchanged["Timeout"]) == (revisions[1], 3)
        accepted = client.update_function_configuration(**name, Timeout=9, RevisionId=revisions[1])
        revisions.append(accepted["RevisionId"])
        client.get_waiter("function_updated_v2").wait(**name, WaiterConfig=QUICK)
        revisions.append(client.get_function_configuration(**name)["RevisionId"])
        assert len(set(revisions)) == 4, "new at acceptance and again at the end, both times"
    finally:
        client.delete_function(**name)


def test_a_dry_run_of_new_code_changes_nothing(session, function_name):
    client = session("lambda")
    client.create_function(**request(function_name))
    name = {"FunctionName": function_name}
    try:
        client.get_waiter("function_active_v2").wait(**name, WaiterConfig=QUICK)
        before = client.get_function_configuration(**name)
        tried = client.update_function_code(**name, ZipFile=package("other"), DryRun=True)
        assert tried["CodeSha256"] != before["CodeSha256"]
        after = client.get_function_configuration(**name)
        assert {**after, "ResponseMetadata": 0} == {**before, "ResponseMetadata": 0}
    finally:
        client.delete_function(**name)


def test_two_regions_know_nothing_of_each_other(session, function_name):
    here, there = session("lambda", "us-west-2"), session("lambda", "sa-east-1")
    try:
        for client, answer in ((here, "west"), (there, "east")):
            source = f"def handler(event, context): print({answer!r}); return {answer!r}"
            client.create_function(**request(function_name, source))
            client.get_waiter("function_active_v2").wait(
                FunctionName=function_name, WaiterConfig=QUICK
            )
        assert payload(here, function_name) == "west"
        assert payload(there, function_name) == "east"
        found = session("logs", "sa-east-1").filter_log_events(
            logGroupName=f"/aws/lambda/{function_name}", filterPattern="-START -END -REPORT"
        )
        assert [event["message"] for event in found["events"]] == ["east\n"]
        here.delete_function(FunctionName=function_name)
        with pytest.raises(here.exceptions.ResourceNotFoundException):
            here.get_function(FunctionName=function_name)
        assert payload(there, function_name) == "east"
    finally:
        there.delete_function(FunctionName=function_name)


@pytest.fixture
def many(session):
    """Sixty functions in a region of their own; the client, and their names in order."""
    client = session("lambda", "ca-central-1")
    names = [f"many-{n:02}" for n in range(MANY)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: client.create_function(**request(name)), names))
        yield client, names
        left = [each["FunctionName"] for each in every(client, "list_functions", "Functions")]
        list(threads.map(lambda name: client.delete_function(FunctionName=name), left))


def every(client, operation, key, size=None, **members):
    pages = client.get_paginator(operation).paginate(
        **members, PaginationConfig={"PageSize": size} if size else {}
    )
    return [entry for page in pages for entry in page[key]]


def test_lists_of_functions_come_in_pages_that_miss_and_repeat_nothing(many):
    client, names = many
    for size in (None, 1, 7, 50, 10_000):
        listed = every(client, "list_functions", "Functions", size)
        assert [each["FunctionName"] for each in listed] == names, size
        assert not {"State", "LastUpdateStatus", "RuntimeVersionConfig"} & set(listed[0])
    first = client.list_functions(MaxItems=10_000)
    assert (len(first["Functions"]), "NextMarker" in first) == (50, True), "50 at most, as on AWS"
    last = client.list_functions(Marker=first["NextMarker"])
    assert (len(last["Functions"]), "NextMarker" in last) == (MANY - 50, False)

    versions = every(client, "list_functions", "Functions", 25, FunctionVersion="ALL")
    assert [each["FunctionArn"].split(":", 6)[6] for each in versions] == [
        f"{name}:$LATEST" for name in names
    ]
    (version,) = every(client, "list_versions_by_function", "Versions", FunctionName=names[7])
    assert version["Version"] == "$LATEST"
    assert version["FunctionArn"].endswith(f"function:{names[7]}:$LATEST")

    pages = client.get_paginator("list_functions").paginate(
        PaginationConfig={"PageSize": 4, "MaxItems": 10}
    )
    shown = pages.build_full_result()
    assert [each["FunctionName"] for each in shown["Functions"]] == names[:10]
    resumed = client.get_paginator("list_functions").paginate(
        PaginationConfig={"StartingToken": shown["NextToken"]}
    )
    assert [each["FunctionName"] for each in resumed.build_full_result()["Functions"]] == names[10:]


def test_functions_that_come_and_go_between_two_pages_shift_nothing(many):
    client, names = many
    page = client.list_functions(MaxItems=20)
    for gone in (names[3], names[19], names[40]):
        client.delete_function(FunctionName=gone)
    client.create_function(**request("many-00-new"))
    seen = [each["FunctionName"] for each in page["Functions"]]
    while "NextMarker" in page:
        page = client.list_functions(MaxItems=20, Marker=page["NextMarker"])
        seen += [each["FunctionName"] for each in page["Functions"]]
    assert seen == [name for name in names if name != names[40]]


def test_groups_streams_and_events_come_in_pages_that_miss_and_repeat_nothing(session):
    client = session("logs", "ap-south-1")
    groups = [f"/paged/{n:02}" for n in range(MANY)]
    streams = [f"stream-{n:02}" for n in range(MANY)]
    now_ms = int(time.time() * 1000)
    try:
        for name in groups:
            client.create_log_group(logGroupName=name)
        group = {"logGroupName": groups[0]}
        for name in streams:
            client.create_log_stream(**group, logStreamName=name)
        for at, name in enumerate(streams[:3]):
            events = [
                {"timestamp": now_ms + n * 3 + at, "message": f"{n * 3 + at}"} for n in range(100)
            ]
            client.put_log_events(**group, logStreamName=name, logEvents=events)
        for size in (None, 7, 50):
            listed = every(client, "describe_log_groups", "logGroups", size)
            assert [each["logGroupName"] for each in listed] == groups
            listed = every(client, "describe_log_streams", "logStreams", size, **group)
            assert [each["logStreamName"] for each in listed] == streams
        for size in (None, 1, 33):
            found = every(client, "filter_log_events", "events", size, **group)
            assert [each["message"] for each in found] == [str(n) for n in range(300)]
            assert len({each["eventId"] for each in found}) == 300
        found = every(client, "filter_log_events", "events", 5, **group, filterPattern='"29"')
        assert [each["message"] for each in found] == [str(n) for n in range(300) if "29" in str(n)]
    finally:
        for name in groups:
            client.delete_log_group(logGroupName=name)


def test_more_threads_than_connections_are_all_served(session, function_name):
    client = session("lambda")
    client.create_function(
        **request(
            function_name,
            "import time\ndef handler(event, context): time.sleep(0.1); return event",
        )
    )
    try:
        client.get_waiter("function_active_v2").wait(FunctionName=function_name, WaiterConfig=QUICK)
        with ThreadPoolExecutor(16) as threads:
            answers = threads.map(lambda n: payload(client, function_name, n), range(48))
            assert list(answers) == list(range(48))
    finally:
        client.delete_function(FunctionName=function_name)


def test_wrong_input_is_refused_with_the_class_that_boto3_has_for_it(session, function_name):
    client = session("lambda")
    for change, code in (
        ({"Runtime": "python2.7"}, "InvalidParameterValueException"),
        ({"Code": {"ZipFile": b"no zip"}}, "InvalidParameterValueException"),
        ({"Role": "nobody"}, "ValidationException"),
        ({"Timeout": 901}, "InvalidParameterValueException"),
        ({"MemorySize": 1 << 30}, "ValidationException"),
        ({"FunctionName": "no such name"}, "ValidationException"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "InvalidParameterValueException"),
    ):
        with pytest.raises(ClientError) as refused:
            client.create_function(**request(function_name) | change)
        assert refused.value.response["Error"]["Code"] == code, change
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function(FunctionName=function_name)

"""Whatever is made, used and deleted again leaves no row, whichever service it belongs to."""

import io
import itertools
import json
import time
import zipfile
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from alonzo.testing.callers import ACCOUNT, allow, document, trust
from alonzo.testing.disk import (
    KEPT_A_WHILE,
    KEPT_FOR_GOOD,
    files_of,
    fold_metrics,
    grown,
    settles,
    weights_of,
)
from alonzo.testing.functions import ADMIN_ROLE, deploy
from alonzo.testing.waiting import eventually

#: How many of each thing are made: a table that grows with them has as many rows more.
N = 3
SETTLES_S_MAX = 30
DAY_S = 86_400

#: How many rows that stay for good there may be at most.
STAY_MAX = dict.fromkeys(KEPT_FOR_GOOD, 1) | {
    "function_usage": 3 * N,
    "layer": N,
    "iam_deleted_role": N + 1,
    # The key that the alias is for.
    "kms_key": 1,
    "kms_material": 1,
}

HANDLER = """
def handler(event, context):
    print("a line")
    if event.get("fail"):
        raise ValueError("no")
"""


def arn(service, name):
    return f"arn:aws:{service}:us-east-1:{ACCOUNT}:{name}"


def functions_with_all_that_belongs_to_them(platform):
    client, sqs = platform.client("lambda"), platform.client("sqs")
    logs = platform.client("logs")
    url = sqs.create_queue(QueueName="failures")["QueueUrl"]
    for number in range(N):
        name = f"f{number}"
        deploy(client, name, HANDLER, Role=ADMIN_ROLE)
        client.publish_version(FunctionName=name)
        client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
        client.add_permission(
            FunctionName=name, StatementId="s", Action="lambda:InvokeFunction", Principal="*"
        )
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
        client.create_function_url_config(FunctionName=name, AuthType="NONE")
        failure = {"OnFailure": {"Destination": arn("sqs", "failures")}}
        client.put_function_event_invoke_config(
            FunctionName=name, MaximumRetryAttempts=0, DestinationConfig=failure
        )
        client.invoke(FunctionName=name, Payload=b"{}")
        client.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"fail": 1}')
    for _ in range(N):
        eventually(lambda: _receive(sqs, url), SETTLES_S_MAX)
    for number in range(N):
        client.delete_function(FunctionName=f"f{number}")
        eventually(lambda n=number: _delete_group(logs, f"/aws/lambda/f{n}"), SETTLES_S_MAX)
    sqs.delete_queue(QueueUrl=url)


def _receive(sqs, url):
    answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)
    for each in answer.get("Messages", ()):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
    return answer.get("Messages")


def _delete_group(logs, name):
    try:
        logs.delete_log_group(logGroupName=name)
    except logs.exceptions.ResourceNotFoundException:
        return False
    return True


def layers_signing_configurations_and_mappings(platform):
    client, sqs = platform.client("lambda"), platform.client("sqs")
    deploy(client, "reads", HANDLER, Role=ADMIN_ROLE)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("python/m.py", "x = 1")
    signer = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/abcdefgh12"
    for number in range(N):
        layer = client.publish_layer_version(
            LayerName=f"l{number}", Content={"ZipFile": content.getvalue()}
        )
        client.delete_layer_version(LayerName=f"l{number}", VersionNumber=layer["Version"])
        made = client.create_code_signing_config(
            AllowedPublishers={"SigningProfileVersionArns": [signer]}
        )["CodeSigningConfig"]["CodeSigningConfigArn"]
        client.delete_code_signing_config(CodeSigningConfigArn=made)
        url = sqs.create_queue(QueueName=f"m{number}")["QueueUrl"]
        mapping = client.create_event_source_mapping(
            FunctionName="reads", EventSourceArn=arn("sqs", f"m{number}")
        )["UUID"]
        eventually(lambda uuid=mapping: _is_enabled(client, uuid), SETTLES_S_MAX)
        client.delete_event_source_mapping(UUID=mapping)
        eventually(lambda uuid=mapping: _is_gone(client, uuid), SETTLES_S_MAX)
        sqs.delete_queue(QueueUrl=url)
    client.delete_function(FunctionName="reads")


def _is_enabled(client, uuid):
    return client.get_event_source_mapping(UUID=uuid)["State"] == "Enabled"


def _is_gone(client, uuid):
    found = client.list_event_source_mappings()["EventSourceMappings"]
    return uuid not in [each["UUID"] for each in found]


def log_groups_with_filters_queries_and_policies(platform):
    client = platform.client("logs")
    now_ms = time.time_ns() // 1_000_000
    for number in range(N):
        group = f"g{number}"
        client.create_log_group(logGroupName=group, tags={"a": "b"})
        client.create_log_stream(logGroupName=group, logStreamName="s")
        client.put_retention_policy(logGroupName=group, retentionInDays=1)
        client.put_metric_filter(
            logGroupName=group,
            filterName="m",
            filterPattern="x",
            metricTransformations=[{"metricName": "m", "metricNamespace": "n", "metricValue": "1"}],
        )
        events = [{"timestamp": now_ms, "message": "x" * 500} for _ in range(20)]
        client.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)
        asked = client.start_query(
            logGroupName=group, startTime=0, endTime=now_ms // 1000 + 60, queryString="limit 5"
        )["queryId"]
        eventually(lambda q=asked: _is_complete(client, q), SETTLES_S_MAX)
        client.delete_log_group(logGroupName=group)


def _is_complete(client, query):
    return client.get_query_results(queryId=query)["status"] == "Complete"


def metrics_and_alarms(platform):
    client = platform.client("cloudwatch")
    for number in range(N):
        client.put_metric_data(Namespace="n", MetricData=[{"MetricName": "m", "Value": number}])
        client.put_metric_alarm(
            AlarmName=f"a{number}",
            Namespace="n",
            MetricName="m",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
        )
        client.set_alarm_state(AlarmName=f"a{number}", StateValue="ALARM", StateReason="why not")
    client.delete_alarms(AlarmNames=[f"a{number}" for number in range(N)])


def identities_and_sessions(platform):
    iam, sts = platform.client("iam"), platform.client("sts")
    policy = document(allow("s3:*"))
    for number in range(N):
        name = f"i{number}"
        iam.create_user(UserName=name)
        iam.create_group(GroupName=name)
        iam.add_user_to_group(GroupName=name, UserName=name)
        key = iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
        managed = iam.create_policy(PolicyName=name, PolicyDocument=policy)["Policy"]["Arn"]
        iam.create_policy_version(PolicyArn=managed, PolicyDocument=policy)
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust({"AWS": "*"}))
        iam.attach_role_policy(RoleName=name, PolicyArn=managed)
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
        iam.create_instance_profile(InstanceProfileName=name)
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
        iam.create_account_alias(AccountAlias=f"alias-{number}")
        sts.assume_role(RoleArn=role["Role"]["Arn"], RoleSessionName="session")
        iam.delete_account_alias(AccountAlias=f"alias-{number}")
        iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=name)
        iam.delete_instance_profile(InstanceProfileName=name)
        iam.delete_role_policy(RoleName=name, PolicyName="own")
        iam.detach_role_policy(RoleName=name, PolicyArn=managed)
        iam.delete_role(RoleName=name)
        iam.delete_policy_version(PolicyArn=managed, VersionId="v2")
        iam.delete_policy(PolicyArn=managed)
        iam.delete_access_key(UserName=name, AccessKeyId=key)
        iam.remove_user_from_group(GroupName=name, UserName=name)
        iam.delete_group(GroupName=name)
        iam.delete_user(UserName=name)


def keys_parameters_and_secrets(platform):
    kms, ssm = platform.client("kms"), platform.client("ssm")
    secrets = platform.client("secretsmanager")
    for number in range(N):
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName=f"alias/a{number}", TargetKeyId=key)
        grant = kms.create_grant(KeyId=key, GranteePrincipal=ADMIN_ROLE, Operations=["Encrypt"])[
            "GrantId"
        ]
        sealed = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        kms.decrypt(CiphertextBlob=sealed)
        kms.revoke_grant(KeyId=key, GrantId=grant)
        kms.delete_alias(AliasName=f"alias/a{number}")
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        for value in "abc":
            ssm.put_parameter(Name=f"/p{number}", Value=value, Type="String", Overwrite=True)
        ssm.label_parameter_version(Name=f"/p{number}", Labels=["one"])
        ssm.delete_parameter(Name=f"/p{number}")
        secrets.create_secret(Name=f"s{number}", SecretString="a")
        secrets.put_secret_value(SecretId=f"s{number}", SecretString="b")
        secrets.get_secret_value(SecretId=f"s{number}")
        secrets.delete_secret(SecretId=f"s{number}", ForceDeleteWithoutRecovery=True)


def queues_with_their_messages(platform):
    client = platform.client("sqs")
    for number in range(N):
        dead = client.create_queue(QueueName=f"dead{number}")["QueueUrl"]
        redrive = {"deadLetterTargetArn": arn("sqs", f"dead{number}"), "maxReceiveCount": "1"}
        attributes = {"RedrivePolicy": json.dumps(redrive), "VisibilityTimeout": "0"}
        url = client.create_queue(QueueName=f"q{number}", Attributes=attributes)["QueueUrl"]
        for body in ("small", "large" * 4000):
            client.send_message(QueueUrl=url, MessageBody=body)
        for _ in range(2):
            client.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        client.start_message_move_task(SourceArn=arn("sqs", f"dead{number}"))
        fifo = client.create_queue(QueueName=f"q{number}.fifo", Attributes={"FifoQueue": "true"})
        for group in "ab":
            client.send_message(
                QueueUrl=fifo["QueueUrl"],
                MessageBody="m",
                MessageGroupId=group,
                MessageDeduplicationId=group,
            )
        got = client.receive_message(QueueUrl=fifo["QueueUrl"])["Messages"]
        client.delete_message(QueueUrl=fifo["QueueUrl"], ReceiptHandle=got[0]["ReceiptHandle"])
        for each in (dead, url, fifo["QueueUrl"]):
            client.delete_queue(QueueUrl=each)


def topics_with_their_subscriptions(platform):
    sns, sqs = platform.client("sns"), platform.client("sqs")
    url = sqs.create_queue(QueueName="hears")["QueueUrl"]
    for number in range(N):
        topic = sns.create_topic(Name=f"t{number}")["TopicArn"]
        made = sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=arn("sqs", "hears"),
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn("sqs", "nobody"))
        sns.publish(TopicArn=topic, Message="m")
        sns.unsubscribe(SubscriptionArn=made)
        sns.delete_topic(TopicArn=topic)
        fifo = sns.create_topic(Name=f"t{number}.fifo", Attributes={"FifoTopic": "true"})
        sns.publish(
            TopicArn=fifo["TopicArn"],
            Message="m",
            MessageGroupId="g",
            MessageDeduplicationId="d",
        )
        sns.delete_topic(TopicArn=fifo["TopicArn"])
    sqs.delete_queue(QueueUrl=url)


def buses_rules_archives_and_replays(platform):
    client, sqs = platform.client("events"), platform.client("sqs")
    url = sqs.create_queue(QueueName="told")["QueueUrl"]
    now = datetime.now(UTC)
    for number in range(N):
        bus = client.create_event_bus(Name=f"b{number}")["EventBusArn"]
        rule = {"EventBusName": f"b{number}", "Name": "r"}
        client.put_rule(**rule, EventPattern='{"source": ["s"]}')
        of_rule = {"EventBusName": f"b{number}", "Rule": "r"}
        client.put_targets(**of_rule, Targets=[{"Id": "q", "Arn": arn("sqs", "told")}])
        archive = client.create_archive(ArchiveName=f"a{number}", EventSourceArn=bus)
        entry = {"Source": "s", "DetailType": "t", "Detail": "{}", "EventBusName": f"b{number}"}
        client.put_events(Entries=[entry] * 5)
        client.start_replay(
            ReplayName=f"replay{number}",
            EventSourceArn=archive["ArchiveArn"],
            EventStartTime=now - timedelta(minutes=1),
            EventEndTime=now + timedelta(minutes=5),
            Destination={"Arn": bus},
        )
        eventually(lambda n=number: _is_replayed(client, f"replay{n}"), SETTLES_S_MAX)
        client.delete_archive(ArchiveName=f"a{number}")
        client.remove_targets(**of_rule, Ids=["q"])
        client.delete_rule(**rule)
        client.delete_event_bus(Name=f"b{number}")
    sqs.delete_queue(QueueUrl=url)


def _is_replayed(client, name):
    return client.describe_replay(ReplayName=name)["State"] == "COMPLETED"


def schedules_and_their_groups(platform):
    client, iam = platform.client("scheduler"), platform.client("iam")
    trusted = trust({"Service": "scheduler.amazonaws.com"})
    role = iam.create_role(RoleName="clock", AssumeRolePolicyDocument=trusted)["Role"]["Arn"]
    target = {"Arn": arn("sqs", "nobody"), "RoleArn": role}
    for number in range(N):
        client.create_schedule_group(Name=f"g{number}")
        for group, when in itertools.product((f"g{number}", "default"), ("rate(1 hour)",)):
            client.create_schedule(
                Name=f"s{number}",
                GroupName=group,
                ScheduleExpression=when,
                FlexibleTimeWindow={"Mode": "OFF"},
                Target=target,
            )
        client.delete_schedule_group(Name=f"g{number}")
        client.delete_schedule(Name=f"s{number}")
    iam.delete_role(RoleName="clock")


def buckets_with_their_objects(platform):
    client = platform.client("s3")
    client.list_buckets()  # The folder has its own file from the first request on.
    before = files_of(platform, "objects")
    for number in range(N):
        bucket = f"bucket-{number}"
        client.create_bucket(Bucket=bucket)
        on = {"Status": "Enabled"}
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=on)
        for size in (10, 100_000):
            client.put_object(Bucket=bucket, Key=f"k{size}", Body=b"x" * size, Tagging="a=b")
        client.delete_object(Bucket=bucket, Key="k10")
        client.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/k100000")
        for key in ("whole", "never"):
            of = {"Bucket": bucket, "Key": key}
            upload = of | {"UploadId": client.create_multipart_upload(**of)["UploadId"]}
            tag = client.upload_part(**upload, PartNumber=1, Body=b"x" * (100 + number))["ETag"]
            if key == "whole":
                parts = {"Parts": [{"PartNumber": 1, "ETag": tag}]}
                client.complete_multipart_upload(**upload, MultipartUpload=parts)
            else:
                client.abort_multipart_upload(**upload)
        found = client.list_object_versions(Bucket=bucket)
        for each in [*found["Versions"], *found["DeleteMarkers"]]:
            client.delete_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])
        client.delete_bucket(Bucket=bucket)
    assert not settles(lambda: files_of(platform, "objects") - before, SETTLES_S_MAX)


#: Each makes N things of some kinds, uses them and deletes them.
SCENARIOS = (
    functions_with_all_that_belongs_to_them,
    layers_signing_configurations_and_mappings,
    log_groups_with_filters_queries_and_policies,
    metrics_and_alarms,
    identities_and_sessions,
    keys_parameters_and_secrets,
    queues_with_their_messages,
    topics_with_their_subscriptions,
    buses_rules_archives_and_replays,
    schedules_and_their_groups,
    buckets_with_their_objects,
)


@pytest.mark.timeout(300)
def test_what_is_deleted_leaves_no_row_and_what_is_kept_for_a_time_goes_after_it(own_platform):
    platform = own_platform()
    empty = weights_of(platform)

    def left(before, kept=()):
        found = grown(platform, before)
        return {k: v for k, v in found.items() if k not in kept and v > STAY_MAX.get(k, 0)}

    def left_of_scenario(before):
        fold_metrics(platform)
        return left(before, KEPT_A_WHILE)

    stays = {}
    for scenario in SCENARIOS:
        before = weights_of(platform)
        scenario(platform)
        if found := settles(partial(left_of_scenario, before), SETTLES_S_MAX):
            stays[scenario.__name__] = found
    assert not stays
    # What is kept is there: the rest of the test is not in vain.
    assert grown(platform, empty).keys() >= {"alarm_history", "events_replay", "metric_point"}

    platform.stop()
    # Longer than any of the times.
    platform.go_ahead(3 * 455 * DAY_S)
    platform.start()
    assert not settles(partial(left, empty), SETTLES_S_MAX)

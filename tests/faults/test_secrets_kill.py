"""``kill -9`` under writes: what was acknowledged is there, and can be read."""

import itertools
import random
import threading
import time

import pytest

from alonzo.testing.functions import ADMIN_ROLE, deploy

#: Deaths at named points take some seconds each; `make test-all` runs them.
pytestmark = pytest.mark.nightly

#: May be cut off anywhere and begin anew, as rotation functions are to be.
ROTATES = """
import boto3
def handler(event, context):
    secrets, token = boto3.client("secretsmanager"), event["ClientRequestToken"]
    arn = event["SecretId"]
    versions = secrets.describe_secret(SecretId=arn)["VersionIdsToStages"]
    if event["Step"] == "createSecret":
        secrets.put_secret_value(SecretId=arn, ClientRequestToken=token,
            SecretString="new", VersionStages=["AWSPENDING"])
    if event["Step"] == "finishSecret":
        old = next(v for v, stages in versions.items() if "AWSCURRENT" in stages)
        secrets.update_secret_version_stage(SecretId=arn, VersionStage="AWSCURRENT",
            MoveToVersionId=token, RemoveFromVersionId=old)
"""


def write_until_dead(platform, number):
    """Write parameters, secrets and ciphertexts; answers what was acknowledged."""
    ssm, secrets = platform.client("ssm"), platform.client("secretsmanager")
    kms = platform.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    done = {"ssm": {}, "secrets": {}, "kms": {}}

    def work():
        try:
            for count in itertools.count():
                name, value = f"/k/{number}/{count}", f"value {number} {count}"
                ssm.put_parameter(Name=name, Value=value, Type="SecureString")
                done["ssm"][name] = value
                secrets.create_secret(Name=name, SecretString=value)
                done["secrets"][name] = value
                blob = kms.encrypt(KeyId=key, Plaintext=value.encode())["CiphertextBlob"]
                done["kms"][blob] = value
                if count % 5 == 0 and count < 100:
                    kms.rotate_key_on_demand(KeyId=key)
        except Exception:
            return

    thread = threading.Thread(target=work)
    thread.start()
    return done, thread


@pytest.mark.slow
def test_what_was_acknowledged_survives_and_opens(own_platform):
    platform, chance = own_platform(), random.Random(6)
    for number in range(3):
        done, thread = write_until_dead(platform, number)
        time.sleep(0.3 + chance.random() / 2)
        platform.kill()
        thread.join()
        platform.start()
        ssm, secrets = platform.client("ssm"), platform.client("secretsmanager")
        for name, value in done["ssm"].items():
            found = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]
            assert found["Value"] == value
        for name, value in done["secrets"].items():
            assert secrets.get_secret_value(SecretId=name)["SecretString"] == value
        for blob, value in done["kms"].items():
            opened = platform.client("kms").decrypt(CiphertextBlob=blob)
            assert opened["Plaintext"] == value.encode()
        assert done["kms"]


@pytest.mark.slow
def test_a_rotation_that_a_death_cut_off_goes_on(own_platform, eventually):
    platform = own_platform()
    secrets, client = platform.client("secretsmanager"), platform.client("lambda")
    arn = secrets.create_secret(Name="s", SecretString="old")["ARN"]
    deploy(client, "rotator", ROTATES, Timeout=20, Role=ADMIN_ROLE)
    client.add_permission(
        FunctionName="rotator",
        StatementId="r",
        Action="lambda:InvokeFunction",
        Principal="secretsmanager.amazonaws.com",
    )
    function = client.get_function(FunctionName="rotator")["Configuration"]["FunctionArn"]
    token = secrets.rotate_secret(SecretId=arn, RotationLambdaARN=function)["VersionId"]
    platform.kill()
    platform.start()
    secrets = platform.client("secretsmanager")
    assert token in secrets.describe_secret(SecretId=arn)["VersionIdsToStages"]
    eventually(lambda: "LastRotatedDate" in secrets.describe_secret(SecretId=arn), within_s=50)
    assert secrets.get_secret_value(SecretId=arn)["SecretString"] == "new"

"""What a key of KMS costs a small PutObject: one of each object, one of the bucket, and none."""

import http.client
import os
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

CLIENTS, PUTS_OF_EACH = 16, 200
SMALL = b"x" * 1000
#: Source: SPECIFICATION.
PUTS_A_SECOND_MIN = 500

PLAIN = {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
OWN_KEY = PLAIN | {"x-amz-server-side-encryption": "aws:kms"}
BUCKET_KEY = OWN_KEY | {"x-amz-server-side-encryption-bucket-key-enabled": "true"}


def exchange(port, client, method, headers):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for number in range(PUTS_OF_EACH):
        body = SMALL if method == "PUT" else None
        connection.request(method, f"/bucket/{client}/{number}", body, headers)
        response = connection.getresponse()
        response.read()
        assert response.status == 200
    connection.close()


def rate_of(port, method, headers):
    clients = [
        threading.Thread(target=exchange, args=(port, each, method, headers))
        for each in range(CLIENTS)
    ]
    begun = time.monotonic()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return CLIENTS * PUTS_OF_EACH / (time.monotonic() - begun)


def cpu_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.timeout(600)
def test_small_objects_under_a_key_of_kms(own_platform, record_property):
    platform = own_platform("--auth", "off")
    platform.client("s3").create_bucket(Bucket="bucket")
    port = urlsplit(platform.endpoint).port
    rate_of(port, "PUT", BUCKET_KEY)  # Once, to be warm.
    rates = {}
    for name, headers in (("AES256", PLAIN), ("aws:kms", OWN_KEY), ("bucket key", BUCKET_KEY)):
        begun_s = cpu_s(platform.pid)
        rates[name] = rate_of(port, "PUT", headers)
        put_ms = (cpu_s(platform.pid) - begun_s) * 1000 / (CLIENTS * PUTS_OF_EACH)
        gets = rate_of(port, "GET", {})
        print(f"\n{name}: {rates[name]:.0f} PutObjects and {gets:.0f} GetObjects a second")
        print(f"{put_ms:.2f} ms of a processor for a PutObject")
        record_property(f"{name} puts_a_second", rates[name])
        record_property(f"{name} put_cpu_ms", put_ms)
        record_property(f"{name} gets_a_second", gets)
    assert min(rates.values()) >= PUTS_A_SECOND_MIN, rates

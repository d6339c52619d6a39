"""What tests of topics look at: what queues got, and whether signatures verify."""

from __future__ import annotations

import base64
import urllib.request
from collections.abc import Mapping
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

_HASHES: Mapping[str, type[hashes.HashAlgorithm]] = {"1": hashes.SHA1, "2": hashes.SHA256}
_RECEIVES_MAX = 30


def messages_of(sqs: Any, url: str, count: int) -> list[dict[str, Any]]:
    """Take messages off a queue until there are so many, with all their attributes."""
    found: list[dict[str, Any]] = []
    for _ in range(_RECEIVES_MAX):
        answer = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=2,
            MessageAttributeNames=["All"],
            AttributeNames=["All"],
        )
        for message in answer.get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            found.append(message)
        if len(found) >= count:
            return found
    raise AssertionError(f"{len(found)} messages came, not {count}: {found}")


def opened(url: str) -> bytes:
    """What a plain GET answers."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        return bytes(answer.read())


def verify(document: Mapping[str, Any], url_name: str = "SigningCertURL") -> None:
    """Check a signature as the developer guide says, with what the document names alone.

    Raises:
        InvalidSignature: it is not the document's.
    """
    names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    if document["Type"] != "Notification":
        names[2:3] = ["SubscribeURL"]
        names.insert(4, "Token")
    text = "".join(f"{n}\n{document[n]}\n" for n in names if document.get(n) is not None)
    key = x509.load_pem_x509_certificate(opened(document[url_name])).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    algorithm = _HASHES[document["SignatureVersion"]]()
    signature = base64.b64decode(document["Signature"])
    key.verify(signature, text.encode(), padding.PKCS1v15(), algorithm)

"""What names a queue in a request: its URL, in the forms that clients have, and its ARN. Pure.

| QueueUrl | Region |
|---|---|
| ``http://HOST:PORT/ACCOUNT/NAME``, which this platform answers | the request's |
| ``https://sqs.REGION.amazonaws.com/ACCOUNT/NAME``, AWS's own | in the host |
| ``http://HOST:PORT/queue/REGION/ACCOUNT/NAME``, of other systems | in the path |
| ``/ACCOUNT/NAME``, or ``NAME`` alone | the request's |

Nothing else of the host counts: a function knows the platform by another address than a client
outside, and both pass each other URLs.
"""

from __future__ import annotations

import re
from functools import lru_cache

from alonzo.model.context import RequestContext
from alonzo.services.sqs.errors import invalid_address, missing_parameter, no_queue
from alonzo.services.sqs.queue import QueueKey

_NAME = r"[A-Za-z0-9_-]{1,80}(?:\.fifo)?"
_REGION = r"[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}"
_PATH = re.compile(
    rf"(?:https?://(?P<host>[^/]{{0,262}}))?"
    rf"(?:/queue/(?P<region>{_REGION}))?/(?P<account>[0-9]{{12}})/(?P<name>{_NAME})/?"
)
_PLAIN = re.compile(_NAME)
_HOST = re.compile(
    rf"(?:sqs|sqs-fips|queue)\.(?P<region>{_REGION})\..+|(?P<old_region>{_REGION})\.queue\..+"
)
_ARN = re.compile(
    rf"arn:aws[a-z-]*:sqs:(?P<region>{_REGION}):(?P<account>[0-9]{{12}}):(?P<name>{_NAME})"
)


def key_of_url(context: RequestContext, url: str) -> QueueKey:
    """The queue that a QueueUrl names.

    Raises:
        AwsError: MissingRequiredParameterException, InvalidAddress, or QueueDoesNotExist: the URL
            belongs to another region.
    """
    if not url:
        raise missing_parameter("QueueUrl")
    return _key_of(context.account, context.region, url)


# Each call of a queue asks twice: for the authorizer, and for the operation.
@lru_cache(maxsize=4096)
def _key_of(account: str, in_region: str, url: str) -> QueueKey:
    if _PLAIN.fullmatch(url):
        return QueueKey(account, in_region, url)
    found = _PATH.fullmatch(url)
    if found is None:
        raise invalid_address(url)
    region = found["region"]
    if region is None and found["host"]:
        of_host = _HOST.fullmatch(found["host"])
        region = (of_host["region"] or of_host["old_region"]) if of_host else None
    if region not in (None, in_region):
        raise no_queue()
    return QueueKey(found["account"], in_region, found["name"])


def key_of_arn(arn: str) -> QueueKey | None:
    """The queue that an ARN names, or None if it is no queue's."""
    found = _ARN.fullmatch(arn)
    return None if found is None else QueueKey(found["account"], found["region"], found["name"])

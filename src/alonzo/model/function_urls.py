"""Function URLs: where they are, and what serving one needs to know.

| Form | For |
|---|---|
| ``http://ID.lambda-url.REGION.HOST:PORT/`` | every ``HOST`` whose sub-domains lead to us |
| ``http://HOST:PORT/_alonzo/lambda-url/ID/`` | everywhere: it needs no DNS |

Both always work. Which of them the API shows follows from how the caller addressed the platform: an
IP address and a name without dots can have no names below them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alonzo.model.arns import FunctionKey

#: The topic on which every change of a function URL is published, under ``FunctionKey.path``.
FUNCTION_URLS_TOPIC = "function_url"

#: What precedes the id in the form without DNS.
PATH_PREFIX = "/_alonzo/lambda-url/"

NO_AUTHENTICATION = "NONE"
IAM = "AWS_IAM"
BUFFERED = "BUFFERED"
RESPONSE_STREAM = "RESPONSE_STREAM"

#: 32 lower-case letters and digits, as on AWS.
URL_ID = re.compile(r"[a-z0-9]{32}")

_NAME_LABEL = re.compile(r"[a-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class FunctionUrl:
    """One function URL as it serves now.

    ``alias`` is None for ``$LATEST``. ``auth_type`` and ``invoke_mode`` are AWS's words, ``cors``
    is a ``Cors`` of the service model, or None. ``policy`` is the resource-based policy of the
    function or alias (JSON), or None.
    """

    id: str
    key: FunctionKey
    alias: str | None
    auth_type: str
    invoke_mode: str
    cors: Mapping[str, Any] | None
    policy: str | None

    @property
    def arn(self) -> str:
        """What it calls: the ARN that permissions must name."""
        return self.key.qualified(self.alias)


def url_of(endpoint: str, region: str, url_id: str) -> str:
    """The URL as a caller reaches it who addressed the platform as ``endpoint`` (a base URL)."""
    scheme, _, authority = endpoint.rstrip("/").partition("://")
    host, colon, port = authority.partition(":")
    host = host.lower().rstrip(".")
    if not _has_names_below(host):
        return f"{scheme}://{authority}{PATH_PREFIX}{url_id}/"
    return f"{scheme}://{url_id}.lambda-url.{region}.{host}{colon}{port}/"


def _has_names_below(host: str) -> bool:
    labels = host.split(".")
    if not all(map(_NAME_LABEL.fullmatch, labels)):
        return False
    # No top-level domain is a number; whatever ends in one is an address (WHATWG URL, hosts).
    return host == "localhost" or (len(labels) > 1 and not labels[-1].isdigit())

"""The operations of EventBridge's service model that are not here, each with the reason."""

from __future__ import annotations

_MISSING = {
    "Events do not go to HTTP endpoints of others; a function can call them.": (
        "CreateApiDestination",
        "CreateConnection",
        "DeauthorizeConnection",
        "DeleteApiDestination",
        "DeleteConnection",
        "DescribeApiDestination",
        "DescribeConnection",
        "ListApiDestinations",
        "ListConnections",
        "UpdateApiDestination",
        "UpdateConnection",
    ),
    "There is one platform, and no second region that an endpoint could fail over to.": (
        "CreateEndpoint",
        "DeleteEndpoint",
        "DescribeEndpoint",
        "ListEndpoints",
        "UpdateEndpoint",
    ),
    "Partners send their events to AWS and not to this platform.": (
        "ActivateEventSource",
        "CreatePartnerEventSource",
        "DeactivateEventSource",
        "DeletePartnerEventSource",
        "DescribeEventSource",
        "DescribePartnerEventSource",
        "ListEventSources",
        "ListPartnerEventSourceAccounts",
        "ListPartnerEventSources",
        "PutPartnerEvents",
    ),
}

#: Operations of the service model that are not implemented, and why.
UNSUPPORTED = {name: reason for reason, names in _MISSING.items() for name in names}

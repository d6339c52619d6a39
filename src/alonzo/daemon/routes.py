"""The routes that are no AWS operation."""

from __future__ import annotations

import json
from collections.abc import Mapping

from alonzo import __version__
from alonzo.model.http import HttpRequest, HttpResponse, RouteHandler

#: Tools that wait for another platform's health route find ours there.
HEALTH_PATHS = (b"/_alonzo/health", b"/_localstack/health")

#: Said wherever a platform without isolation shows itself.
NOT_ISOLATED = (
    "functions are not isolated: each may do whatever the user may who runs the platform. "
    "Run no code that you do not trust."
)


def health(
    services: Mapping[str, object], *, region: str, isolation: str, isolated: bool, network: str
) -> RouteHandler:
    """Answer that the platform is up: it listens only once everything behind it is.

    ``network`` says in words what functions reach.
    """
    document: dict[str, object] = {
        "status": "ok",
        "version": __version__,
        "region": region,
        "isolation": isolation,
        "network": network,
        "services": dict.fromkeys(sorted(services), "running"),
    }
    if not isolated:
        document["warning"] = NOT_ISOLATED
    response = HttpResponse(
        200, {"Content-Type": "application/json"}, json.dumps(document).encode()
    )

    async def answer(_: HttpRequest) -> HttpResponse:
        return response

    return answer

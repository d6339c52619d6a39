"""The routes of topics that need no signature: the certificate, and the links in messages.

Of all operations only ConfirmSubscription and Unsubscribe are behind the links, by GET, as they are
with AWS: whoever has a token, or the ARN of a subscription with its random end, may use it.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from alonzo.edge.protocols import codec_for
from alonzo.lib.ids import IdSource
from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError
from alonzo.model.http import HttpRequest, HttpResponse
from alonzo.services.sns.api import Topics, operations
from alonzo.services.sns.subscriptions import ANONYMOUS

#: What a request without a signature may ask for, and the member with the ARN.
_OPEN = {"ConfirmSubscription": "TopicArn", "Unsubscribe": "SubscriptionArn"}

_ARN_PARTS_MIN = 6


class TopicLinks:
    """Answers them."""

    def __init__(self, topics: Topics, ids: IdSource) -> None:
        self._topics = topics
        self._operations = operations(topics)
        self._ids = ids

    async def link(self, request: HttpRequest) -> HttpResponse:
        """Confirm or end a subscription."""
        request_id = self._ids.uuid()
        codec = codec_for("sns")
        if request.method != "GET":
            # Whoever looks at a link before following it must not use it up.
            return HttpResponse(405, {"Allow": "GET"})
        try:
            action = _action_of(request)
            operation, params = codec.parse(request)
            context = self._context(request, request_id, str(params[_OPEN[action]]))
            answer = await self._operations[action](context, params)
        except AwsError as error:
            return codec.render_error(error, request_id, None)
        return codec.render(operation, answer, request_id)

    async def certificate(self, request: HttpRequest) -> HttpResponse:
        """The certificate that verifies signatures."""
        path, pem = await self._topics.signer.certificate()
        if request.raw_path != path.encode():
            return HttpResponse(404)
        return HttpResponse(200, {"Content-Type": "application/x-pem-file"}, pem)

    def _context(self, request: HttpRequest, request_id: str, arn: str) -> RequestContext:
        parts = arn.split(":")
        named = len(parts) >= _ARN_PARTS_MIN
        return RequestContext(
            request_id=request_id,
            account=parts[4] if named else "",
            region=parts[3] if named else "",
            principal=ANONYMOUS,
            endpoint="",
            source_ip=request.source_ip,
        )


def _action_of(request: HttpRequest) -> str:
    """The operation that is asked for.

    Raises:
        AwsError: there is none, or it needs a signature.
    """
    fields = parse_qs(request.query.decode("latin-1"), max_num_fields=20)
    actions = fields.get("Action", [])
    if len(actions) != 1 or actions[0] not in _OPEN:
        raise AwsError("MissingAuthenticationToken", "Missing Authentication Token", status=403)
    return actions[0]

"""Which service a request is for. Pure; every fact comes from the service models.

Asked in this order, the first answer wins:

1. the service in the credential scope, which the signature protects;
2. ``X-Amz-Target`` (the json protocols);
3. ``/service/NAME/operation/NAME`` (smithy-rpc-v2-cbor);
4. a host like ``lambda.eu-west-1.amazonaws.com`` or ``bucket.s3.localhost``;
5. a path that one of a REST service's URI templates matches;
6. ``Action`` and ``Version`` of a query-protocol call, in the query or in a form body.

Rules 2 to 6 also choose between services that share a signing name. A scope that names a service
we do not serve is never answered by another service.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from alonzo.model.http import HttpRequest
    from alonzo.model.service_models import ServiceModel

_RPC_PATH = re.compile(rb"/service/([^/]+)/operation/([^/]+)")
_REGION = re.compile(r"(?:eusc-)?[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d")
_LABEL = re.compile(r"\{[^}]+\}")
T = TypeVar("T")

#: No valid host is longer.
_HOST_BYTES_MAX = 262

_FORM = b"application/x-www-form-urlencoded"

#: A form body is searched for ``Action`` no further than this.
_FORM_BYTES_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class _Template:
    pattern: re.Pattern[bytes]
    service: str
    operation: str


class Router:
    """Knows the services that are served."""

    def __init__(self, models: Mapping[str, ServiceModel]) -> None:
        """``models`` maps the service names of the platform to their models."""
        self._models = dict(models)
        self._by_signing_name: dict[str, list[str]] = defaultdict(list)
        self._by_target: dict[str, str] = {}
        self._by_endpoint: dict[str, str] = {}
        for name, model in models.items():
            self._by_signing_name[model.signing_name].append(name)
            self._by_endpoint.setdefault(model.endpoint_prefix, name)
            target = model.metadata.get("targetPrefix")
            if target is not None:
                self._by_target[target] = name

    def pick(self, request: HttpRequest, signing_name: str | None) -> str | None:
        """The name of the service, or None if none of ours fits.

        ``signing_name`` is the service of the credential scope; None if the request is unsigned.
        """
        if signing_name is None:
            return self._by_shape(request)
        candidates = self._by_signing_name.get(signing_name, [])
        if len(candidates) > 1:
            chosen = self._by_shape(request)
            if chosen in candidates:
                return chosen
        return candidates[0] if candidates else None

    def misfit(
        self, request: HttpRequest, signing_name: str, region: str
    ) -> tuple[str, str] | None:
        """The service that a signed request is for after all, and why its scope does not fit.

        None where nothing but the scope tells. AWS's services have a host each and know their own
        name and region; here they share one, so what tells is the target, the path, or a host such
        as ``lambda.eu-west-1.localhost``. Texts are AWS's.
        """
        target = request.header(b"x-amz-target")
        rpc = None if target is not None else _RPC_PATH.fullmatch(request.raw_path)
        if target is not None:
            meant = self._by_target.get(target.decode("latin-1").rpartition(".")[0])
        elif rpc is not None:
            meant = self._by_target.get(rpc[1].decode("latin-1"))
        else:
            meant = self._foreign_path(request, signing_name)
        host = service_host(request.header(b"host") or b"")
        if meant is None and host is not None:
            meant = self._by_endpoint.get(host[0])
        if meant is None:
            return None
        name = self._models[meant].signing_name
        if name != signing_name:
            return meant, f"Credential should be scoped to correct service: '{name}'. "
        if host is not None and host[0] in self._by_endpoint and host[1] != region:
            return meant, f"Credential should be scoped to a valid Region, not '{region}'. "
        return None

    def _foreign_path(self, request: HttpRequest, signing_name: str) -> str | None:
        """The REST service whose path this is, if whoever signed did so for no REST service."""
        names = self._by_signing_name.get(signing_name, ())
        if request.raw_path == b"/" or any(
            self._models[name].protocol.startswith("rest-") for name in names
        ):
            return None
        return self._by_path(request)

    def operation_name(self, request: HttpRequest, service: str) -> str | None:
        """The operation, as far as the head of the request tells it. For messages only."""
        target = request.header(b"x-amz-target")
        if target is not None:
            return target.decode("latin-1").rpartition(".")[2]
        rpc = _RPC_PATH.fullmatch(request.raw_path)
        if rpc is not None:
            return rpc[2].decode("latin-1")
        return _first(operation for name, operation in self._matches(request) if name == service)

    def _by_shape(self, request: HttpRequest) -> str | None:
        target = request.header(b"x-amz-target")
        if target is not None:
            return self._by_target.get(target.decode("latin-1").rpartition(".")[0])
        rpc = _RPC_PATH.fullmatch(request.raw_path)
        if rpc is not None:
            return self._by_target.get(rpc[1].decode("latin-1"))
        return self._by_host(request) or self._by_path(request) or self._by_action(request)

    def _by_host(self, request: HttpRequest) -> str | None:
        labels = _host_labels(request)
        if len(labels) < 2:
            return None
        # From the right: in ``lambda.s3.localhost`` the bucket is called lambda.
        return _first(
            self._by_endpoint[label] for label in reversed(labels) if label in self._by_endpoint
        )

    def _by_path(self, request: HttpRequest) -> str | None:
        return _first(name for name, _ in self._matches(request))

    def _matches(self, request: HttpRequest) -> Iterator[tuple[str, str]]:
        """The services and operations whose URI templates match."""
        for template in self._templates.get((request.method, _first_segment(request.raw_path)), ()):
            if template.pattern.fullmatch(request.raw_path):
                yield template.service, template.operation

    @cached_property
    def _templates(self) -> dict[tuple[str, bytes], list[_Template]]:
        """URI templates of the REST services, by method and first path segment.

        A template that begins with a label, as S3's do, says nothing about the service.
        """
        index: dict[tuple[str, bytes], list[_Template]] = defaultdict(list)
        for name, model in self._models.items():
            if not model.protocol.startswith("rest-"):
                continue
            for operation in model.operation_names:
                http = model.operation_model(operation).http
                path = str(http["requestUri"]).partition("?")[0]
                first = _first_segment(path.encode())
                if first and b"{" not in first:
                    template = _Template(_compile(path), name, operation)
                    index[http["method"], first].append(template)
        return index

    def _by_action(self, request: HttpRequest) -> str | None:
        fields = request.query
        if (request.header(b"content-type") or b"").startswith(_FORM):
            fields = request.body[:_FORM_BYTES_MAX]
        if b"Action=" not in fields:
            return None
        try:
            form = parse_qs(fields.decode("latin-1"), max_num_fields=1000)
        except ValueError:
            return None
        action, version = form.get("Action", [""])[0], form.get("Version", [None])[0]
        for name, model in self._models.items():
            if version in (None, model.api_version) and action in model.operation_names:
                return name
        return None


def host_region(request: HttpRequest) -> str | None:
    """The region that a host like ``lambda.eu-west-1.amazonaws.com`` names, if it does."""
    return _first(label for label in _host_labels(request) if _REGION.fullmatch(label))


@lru_cache(maxsize=1024)
def service_host(host: bytes) -> tuple[str, str] | None:
    """The service and the region of a host that names both, next to each other."""
    if len(host) > _HOST_BYTES_MAX:
        return None
    labels = host.decode("latin-1").lower().partition(":")[0].split(".")
    return _first(
        (service, region) for service, region in pairwise(labels) if _REGION.fullmatch(region)
    )


def _host_labels(request: HttpRequest) -> list[str]:
    host = (request.header(b"host") or b"").decode("latin-1").lower()
    return host.partition(":")[0].split(".")


def _first_segment(path: bytes) -> bytes:
    return path[1:].partition(b"/")[0]


def _compile(path: str) -> re.Pattern[bytes]:
    """A URI template as a pattern of raw paths; a ``{Label+}`` may span slashes."""
    pieces: list[str] = []
    end = 0
    for label in _LABEL.finditer(path):
        pieces += (re.escape(path[end : label.start()]), ".+" if label[0][-2] == "+" else "[^/]+")
        end = label.end()
    pieces.append(re.escape(path[end:]))
    return re.compile("".join(pieces).encode())


def _first(found: Iterable[T]) -> T | None:
    return next(iter(found), None)

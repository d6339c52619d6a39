"""Operations on OpenID Connect providers: whom an account believes who somebody is.

A provider is known by its URL without ``https://``, spelled as its tokens name their issuer.
Thumbprints are kept and shown; what a provider publishes is fetched from a host whose certificate
the system's authorities vouch for, as AWS does today.

Source: IAM API reference; IAM user guide, OIDC federation, quotas.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from alonzo.model.context import RequestContext
from alonzo.services.iam import errors, records
from alonzo.services.iam.errors import invalid_input, limit_exceeded
from alonzo.services.iam.operations import IamOperations
from alonzo.services.iam.paging import one_page
from alonzo.services.iam.records import Entity, Kind
from alonzo.services.iam.tags import added, read_tags, removed, render_tags
from alonzo.store.base import Connection

_SCHEME = "https://"
_CLIENTS_MAX = 100
_THUMBPRINTS_MAX = 5
_THUMBPRINT = re.compile(r"[0-9A-Fa-f]{40}")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~:@!$&'()*+,;=%-]*)*")
_HOST = re.compile(r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*")


class OidcProviderOperations(IamOperations):
    """CreateOpenIDConnectProvider and its like."""

    async def create(self, context: RequestContext, params: dict[str, Any]) -> Mapping[str, Any]:
        """CreateOpenIDConnectProvider."""
        name = provider_name(params["Url"])
        clients = _distinct(params.get("ClientIDList"))
        _check_clients(clients)
        document: dict[str, Any] = {
            "clients": clients,
            "thumbprints": _thumbprints(params.get("ThumbprintList")),
        }
        if tags := read_tags(params.get("Tags")):
            document["tags"] = tags

        def work(conn: Connection) -> dict[str, Any]:
            if records.try_find(conn, context.account, Kind.OIDC, name) is not None:
                raise errors.exists(Kind.OIDC, name)
            provider = records.insert(
                conn,
                ids=self._identities.ids,
                account=context.account,
                kind=Kind.OIDC,
                name=name,
                path="/",
                now_s=self._now_s(),
                document=document,
            )
            return {"OpenIDConnectProviderArn": provider.arn, "Tags": render_tags(provider.tags)}

        return await self._identities.write(work)

    async def get(self, context: RequestContext, params: dict[str, Any]) -> Mapping[str, Any]:
        """GetOpenIDConnectProvider."""
        provider = await self._identities.read(lambda conn: _find(conn, context, params))
        return {
            "Url": provider.name,
            "ClientIDList": provider.document["clients"],
            "ThumbprintList": provider.document["thumbprints"],
            "CreateDate": provider.created_at_s,
            "Tags": render_tags(provider.tags),
        }

    async def list(self, context: RequestContext, params: dict[str, Any]) -> Mapping[str, Any]:
        """ListOpenIDConnectProviders: all of them, as AWS does."""

        def work(conn: Connection) -> list[str]:
            _, most = records.ENTITIES_MAX[Kind.OIDC]
            found = records.page(conn, context.account, Kind.OIDC, path="/", after="", limit=most)
            return [each.arn for each in found]

        arns = await self._identities.read(work)
        return {"OpenIDConnectProviderList": [{"Arn": arn} for arn in arns]}

    async def delete(self, context: RequestContext, params: dict[str, Any]) -> None:
        """DeleteOpenIDConnectProvider. One that is gone already is no error, as on AWS."""
        name = _name_in(context, params)

        def work(conn: Connection) -> None:
            provider = records.try_find(conn, context.account, Kind.OIDC, name)
            if provider is not None:
                records.delete(conn, provider)

        await self._identities.write(work)

    async def add_client(self, context: RequestContext, params: dict[str, Any]) -> None:
        """AddClientIDToOpenIDConnectProvider. One that is there already is no error."""

        def change(provider: Entity) -> Entity:
            clients = _distinct([*provider.document["clients"], params["ClientID"]])
            _check_clients(clients)
            return provider.changed(clients=clients)

        await self._change(context, params, change)

    async def remove_client(self, context: RequestContext, params: dict[str, Any]) -> None:
        """RemoveClientIDFromOpenIDConnectProvider. One that is not there is no error."""

        def change(provider: Entity) -> Entity:
            left = [each for each in provider.document["clients"] if each != params["ClientID"]]
            return provider.changed(clients=left)

        await self._change(context, params, change)

    async def update_thumbprint(self, context: RequestContext, params: dict[str, Any]) -> None:
        """UpdateOpenIDConnectProviderThumbprint: the whole list."""
        thumbprints = _thumbprints(params["ThumbprintList"])
        await self._change(
            context, params, lambda provider: provider.changed(thumbprints=thumbprints)
        )

    async def tag(self, context: RequestContext, params: dict[str, Any]) -> None:
        """TagOpenIDConnectProvider."""
        await self._change(
            context,
            params,
            lambda provider: provider.changed(tags=added(provider.tags, params["Tags"]) or None),
        )

    async def untag(self, context: RequestContext, params: dict[str, Any]) -> None:
        """UntagOpenIDConnectProvider."""
        await self._change(
            context,
            params,
            lambda provider: provider.changed(
                tags=removed(provider.tags, params["TagKeys"]) or None
            ),
        )

    async def list_tags(self, context: RequestContext, params: dict[str, Any]) -> Mapping[str, Any]:
        """ListOpenIDConnectProviderTags."""
        provider = await self._identities.read(lambda conn: _find(conn, context, params))
        entries = sorted(render_tags(provider.tags), key=lambda tag: tag["Key"])
        return one_page("Tags", entries, params, lambda tag: tag["Key"])[1]

    async def _change(
        self, context: RequestContext, params: Mapping[str, Any], change: Callable[[Entity], Entity]
    ) -> None:
        def work(conn: Connection) -> None:
            records.save(conn, change(_find(conn, context, params)))

        await self._identities.write(work)


def provider_name(url: str) -> str:
    """What a provider is called whose URL that is.

    Raises:
        AwsError: InvalidInput: no provider can have it.
    """
    rest = url.removeprefix(_SCHEME)
    parts = urlsplit(_SCHEME + rest)
    host = parts.netloc
    if rest == url or _HOST.fullmatch(host) is None or _PATH.fullmatch(parts.path) is None:
        raise invalid_input("Invalid Open ID Connect Provider URL")
    if parts.query or parts.fragment or rest != host + parts.path:
        raise invalid_input("Invalid Open ID Connect Provider URL")
    return rest


def try_find_provider(conn: Connection, account: str, issuer: str) -> Entity | None:
    """The provider of the account whose tokens name that issuer, or None."""
    name = issuer.removeprefix(_SCHEME)
    if name == issuer:
        return None
    provider = records.try_find(conn, account, Kind.OIDC, name)
    # An issuer that is spelled otherwise is another one.
    return provider if provider is not None and provider.name == name else None


def _name_in(context: RequestContext, params: Mapping[str, Any]) -> str:
    """The name in the ARN of a request, which must be one of the account's."""
    arn = str(params["OpenIDConnectProviderArn"])
    name = arn.removeprefix(f"arn:aws:iam::{context.account}:{Kind.OIDC}/")
    if name == arn or not name:
        raise invalid_input(f"Invalid ARN: {arn}")
    return name


def _find(conn: Connection, context: RequestContext, params: Mapping[str, Any]) -> Entity:
    name = _name_in(context, params)
    provider = records.try_find(conn, context.account, Kind.OIDC, name)
    if provider is None:
        raise errors.not_found(Kind.OIDC, str(params["OpenIDConnectProviderArn"]))
    return provider


def _distinct(texts: Sequence[str] | None) -> list[str]:
    return list(dict.fromkeys(texts or ()))


def _check_clients(clients: Sequence[str]) -> None:
    if len(clients) > _CLIENTS_MAX:
        raise limit_exceeded("ClientIdsPerOpenIdConnectProvider", _CLIENTS_MAX)


def _thumbprints(texts: Sequence[str] | None) -> list[str]:
    found = _distinct(texts)
    if len(found) > _THUMBPRINTS_MAX:
        raise invalid_input("Thumbprint list must contain fewer than 5 entries.")
    if not all(_THUMBPRINT.fullmatch(each) for each in found):
        raise invalid_input("Thumbprint must be 40 hexadecimal digits.")
    return found

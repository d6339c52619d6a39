"""Operations that answer parameters. Source: Systems Manager API reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError
from alonzo.services.ssm import records
from alonzo.services.ssm.errors import invalid_token
from alonzo.services.ssm.filters import Filter, read_by_path, read_described
from alonzo.services.ssm.limits import BY_PATH_PAGE, PAGE
from alonzo.services.ssm.records import Parameter, Version
from alonzo.services.ssm.rules import (
    Selector,
    arn_of,
    check_path,
    is_below,
    read_selector,
    read_token,
    write_token,
)
from alonzo.services.ssm.values import Values
from alonzo.store.base import Connection, Store

#: Errors that make GetParameters call a name invalid, in place of failing.
_NO_SUCH = frozenset({"ParameterNotFound", "ParameterVersionNotFound", "ValidationException"})
#: Members of a version's document that a ParameterMetadata shows.
_METADATA = (
    "Type",
    "KeyId",
    "LastModifiedUser",
    "Description",
    "AllowedPattern",
    "Tier",
    "DataType",
)

_Found = tuple[Parameter, Version]


class ReadingOperations:
    """One coroutine for each operation, named as in the service model."""

    def __init__(self, store: Store, values: Values) -> None:
        self._store = store
        self._values = values

    async def get_parameter(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """GetParameter."""
        selector = read_selector(params["Name"], account=context.account, region=context.region)
        found = await self._store.read(lambda conn: _select(conn, context, selector))
        return {"Parameter": await self._shown(context, found, params, selector)}

    async def get_parameters(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """GetParameters. Names that there are not are answered apart."""
        names: list[str] = list(dict.fromkeys(params["Names"]))

        def work(conn: Connection) -> list[tuple[str, Selector, _Found] | str]:
            found: list[tuple[str, Selector, _Found] | str] = []
            for name in names:
                try:
                    selector = read_selector(name, account=context.account, region=context.region)
                    found.append((name, selector, _select(conn, context, selector)))
                except AwsError as error:
                    if error.code not in _NO_SUCH:
                        raise
                    found.append(name)
            return found

        shown: list[Mapping[str, Any]] = []
        invalid: list[str] = []
        for each in await self._store.read(work):
            if isinstance(each, str):
                invalid.append(each)
            else:
                shown.append(await self._shown(context, each[2], params, each[1]))
        return {"Parameters": shown, "InvalidParameters": invalid}

    async def get_parameters_by_path(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """GetParametersByPath."""
        path, recursive = params["Path"], params.get("Recursive", False)
        check_path(path)
        filters = read_by_path(params)
        label = next((each.values for each in filters if each.key == "Label"), ())
        prefix = "" if path == "/" else f"{path.rstrip('/')}/"
        after, limit = read_token(params.get("NextToken")), params.get("MaxResults", BY_PATH_PAGE)

        def work(conn: Connection) -> tuple[list[_Found], bool]:
            page: list[_Found] = []
            for parameter in records.walk(conn, context, prefix=prefix, after=after):
                if not is_below(parameter.name, path, recursive=recursive):
                    continue
                version = _labelled(conn, parameter, label)
                if version is None or not _fit(filters, parameter, version):
                    continue
                if len(page) == limit:
                    return page, True
                page.append((parameter, version))
            return page, False

        page, more = await self._store.read(work)
        shown = [await self._shown(context, each, params) for each in page]
        return {"Parameters": shown, **_next(page, more)}

    async def describe_parameters(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """DescribeParameters. Nothing is shared between accounts."""
        filters = read_described(params)
        after, limit = read_token(params.get("NextToken")), params.get("MaxResults", PAGE)
        if params.get("Shared"):
            return {"Parameters": []}

        def work(conn: Connection) -> tuple[list[_Found], bool]:
            page: list[_Found] = []
            for parameter in records.walk(conn, context, after=after):
                version = records.newest(conn, parameter)
                if not _fit(filters, parameter, version):
                    continue
                if len(page) == limit:
                    return page, True
                page.append((parameter, version))
            return page, False

        page, more = await self._store.read(work)
        shown = [_metadata(context, *each) for each in page]
        return {"Parameters": shown, **_next(page, more)}

    async def get_parameter_history(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """GetParameterHistory, the oldest version first."""
        selector = read_selector(params["Name"], account=context.account, region=context.region)
        token = read_token(params.get("NextToken")) or "0"
        if not token.isdigit():
            raise invalid_token()
        after = int(token)
        limit = int(params.get("MaxResults", PAGE))

        def work(conn: Connection) -> tuple[Parameter, list[Version]]:
            parameter = records.need(conn, context, selector)
            return parameter, [
                each for each in records.versions(conn, parameter) if each.number > after
            ]

        parameter, versions = await self._store.read(work)
        shown: list[Mapping[str, Any]] = []
        for version in versions[:limit]:
            entry = _metadata(context, parameter, version)
            entry.pop("ARN")
            entry["Labels"] = version.labels
            entry["Value"] = await self._values.shown(
                context, parameter.name, version, decrypt=params.get("WithDecryption", False)
            )
            shown.append(entry)
        answer: dict[str, Any] = {"Parameters": shown}
        if len(versions) > limit:
            answer["NextToken"] = write_token(str(versions[limit - 1].number))
        return answer

    async def _shown(
        self,
        context: RequestContext,
        found: _Found,
        params: Mapping[str, Any],
        selector: Selector | None = None,
    ) -> Mapping[str, Any]:
        """A Parameter."""
        parameter, version = found
        value = await self._values.shown(
            context, parameter.name, version, decrypt=params.get("WithDecryption", False)
        )
        shown: dict[str, Any] = {
            "Name": parameter.name,
            "Type": version.document["Type"],
            "Value": value,
            "Version": version.number,
            "LastModifiedDate": version.created_at_s,
            "ARN": arn_of(context.account, context.region, parameter.name),
            "DataType": version.document["DataType"],
        }
        if selector is not None and selector.text:
            shown["Selector"] = selector.text
        return shown


def _select(conn: Connection, context: RequestContext, selector: Selector) -> _Found:
    parameter = records.need(conn, context, selector)
    return parameter, records.selected(conn, parameter, selector)


def _labelled(conn: Connection, parameter: Parameter, labels: Sequence[str]) -> Version | None:
    if not labels:
        return records.newest(conn, parameter)
    for version in records.versions(conn, parameter):
        if set(labels) & set(version.labels):
            return version
    return None


def _fit(filters: Sequence[Filter], parameter: Parameter, version: Version) -> bool:
    return all(each.fits(parameter, version) for each in filters)


def _next(page: Sequence[_Found], more: bool) -> Mapping[str, Any]:
    return {"NextToken": write_token(page[-1][0].name)} if more else {}


def _metadata(context: RequestContext, parameter: Parameter, version: Version) -> dict[str, Any]:
    """A ParameterMetadata."""
    shown: dict[str, Any] = {
        "Name": parameter.name,
        "ARN": arn_of(context.account, context.region, parameter.name),
        "LastModifiedDate": version.created_at_s,
        "Version": version.number,
        "Policies": [],
    }
    document = version.document
    return shown | {name: document[name] for name in _METADATA if name in document}

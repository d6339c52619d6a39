"""Serves the links of GetFunction, as S3 serves AWS's: the zip, or an error document in XML."""

from __future__ import annotations

from alonzo.control.code_keys import SealedPackages
from alonzo.control.links import CodeLinks, LinkError
from alonzo.model.errors import AwsError
from alonzo.model.http import HttpRequest, HttpResponse
from alonzo.store.blobs import BlobMissingError


class CodeDownloads:
    """Answers GET below ``links.CODE_PATH``. Its instances are ``RouteHandler``s."""

    def __init__(self, links: CodeLinks, packages: SealedPackages) -> None:
        self._links = links
        self._packages = packages

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        """One download. 403 for a link that does not open, 404 for a package that is gone.

        403 also for a package whose key cannot be used.
        """
        try:
            sha256 = self._links.open(request.raw_path, request.query)
        except LinkError as error:
            code = "AccessDenied" if error.expired else "SignatureDoesNotMatch"
            return _error(403, code, str(error))
        # Read whole, which the limit of 50 MB allows: the length and any damage are known before
        # the first byte is sent.
        try:
            body = await self._packages.read(sha256)
        except BlobMissingError:
            return _error(404, "NoSuchKey", "The specified key does not exist.")
        except AwsError as error:
            return _error(403, "AccessDenied", error.message)
        headers = {"content-type": "application/zip", "content-length": str(len(body))}
        return HttpResponse(200, headers, body)


def _error(status: int, code: str, message: str) -> HttpResponse:
    message = message.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    )
    return HttpResponse(status, {"content-type": "application/xml"}, text.encode())

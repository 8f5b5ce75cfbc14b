"""HTTP requests to our own services: through no proxy, which would read the token.

A redirect is not followed: it would take the token elsewhere.
"""

import urllib.request
from http.client import HTTPMessage
from typing import IO


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> None:
        """Follow nothing, so that the redirect is an HTTPError."""


DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects)

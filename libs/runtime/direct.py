"""HTTP requests to our own services: through no proxy, which would read the token."""

import urllib.request

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))

"""The pages on which a person logs in to the simulated account."""

from html import escape
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Simulated Kite</title>
<style>
  :root {{ color-scheme: light dark; }}
  body {{ margin: 0; min-height: 100vh; display: grid; place-items: center;
         font: 16px/1.5 system-ui, sans-serif; background: #f3f4f6; color: #1f2937; }}
  main {{ box-sizing: border-box; width: min(26rem, calc(100vw - 2rem)); padding: 2.5rem;
         border-radius: 12px; background: #fff; box-shadow: 0 8px 30px rgb(0 0 0 / 10%); }}
  h1 {{ margin: 0 0 .5rem; font-size: 1.35rem; }}
  p {{ margin: .5rem 0 1.25rem; }}
  .quiet {{ color: #6b7280; font-size: .9rem; }}
  button {{ width: 100%; padding: .8rem; border: 0; border-radius: 8px; cursor: pointer;
           font: inherit; font-weight: 600; color: #fff; background: #2563eb; }}
  button:hover, button:focus-visible {{ background: #1d4ed8; }}
  code {{ display: block; padding: .8rem; border-radius: 8px; background: #e5e7eb;
         overflow-wrap: anywhere; user-select: all; }}
  @media (prefers-color-scheme: dark) {{
    body {{ background: #111827; color: #e5e7eb; }}
    main {{ background: #1f2937; }} code {{ background: #374151; }}
    .quiet {{ color: #9ca3af; }}
  }}
</style>
</head>
<body><main>{content}</main></body>
</html>
"""
_QUESTION = """<h1>Simulated Kite</h1>
<p>The app <strong>{api_key}</strong> wants to trade on the account
<strong>{user_id}</strong>. It is a simulation: no real money, no real orders.</p>
<form method="post" action="{action}"><button>Log in to the simulated account</button></form>
<p class="quiet">The session ends at 06:00 tomorrow by the exchange's clock, or with the next
login.</p>"""
_DONE = """<h1>Logged in</h1>
<p>Copy this request token to your application. It can be used once, and only for a few
minutes.</p>
<code>{request_token}</code>"""


def login_page(api_key: str, user_id: str, redirect_params: str = "") -> str:
    """Return the page with the one button; `redirect_params` come back to the app."""
    kept = {"redirect_params": redirect_params} if redirect_params else {}
    action = "/connect/login?" + urlencode({"api_key": api_key, "v": 3, **kept})
    content = _QUESTION.format(
        api_key=escape(api_key), user_id=escape(user_id), action=escape(action, quote=True)
    )
    return _PAGE.format(content=content)


def token_page(request_token: str) -> str:
    """Return the page that shows a request token."""
    return _PAGE.format(content=_DONE.format(request_token=escape(request_token)))


def redirect_to(redirect_url: str, request_token: str, redirect_params: str = "") -> str:
    """Return the app's address with what the app wants back, and what Kite adds to it."""
    parts = urlsplit(redirect_url)
    added = {"action": "login", "type": "login", "status": "success"}
    own = (*parse_qsl(parts.query), *parse_qsl(redirect_params))
    query = [*own, *added.items(), ("request_token", request_token)]
    return urlunsplit(parts._replace(query=urlencode(query)))

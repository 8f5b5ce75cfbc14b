"""The pages of a service for a person: `/` and `/docs`.

Plain HTML without scripts. Nothing is loaded from elsewhere, so that they work offline; a header
forbids it too. Text is escaped by the element tree.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from fastapi.responses import HTMLResponse

from libs.runtime.elements import Content, made
from libs.runtime.health import Health
from libs.runtime.service import Service
from libs.runtime.version import VERSION

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: .5rem 0 1rem }
th, td { border: 1px solid #8886; padding: .2rem .6rem; text-align: left; vertical-align: top }
h2 { margin-top: 2rem }
:root { color-scheme: light dark }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
_LINKS = (
    ("/health/ready", "whether every required part works, and why not"),
    ("/health/live", "whether the process runs"),
    ("/info", "what the service says of itself"),
    ("/metrics", "the metrics that Prometheus reads"),
    ("/docs", "the endpoints"),
    ("/openapi.json", "the same for programs"),
)


def home_page(service: Service, health: Health) -> HTMLResponse:
    """Return the page at `/`: name, version, health, links, and the service's note."""
    report, links = health.report(), (*_LINKS, *service.links)
    return page(
        f"AlphaStocks {service.name}",
        made("p", f"version {VERSION}, ", "ready" if health.is_ready else "not ready"),
        table(("component", "health"), report.items()),
        made("ul", *(made("li", _link(path), f": {what}") for path, what in links)),
        *([made("p", service.note)] if service.note else []),
    )


def docs_page(document: Mapping[str, Any]) -> HTMLResponse:
    """Return the page at `/docs` for an OpenAPI document."""
    paths: Mapping[str, Mapping[str, Any]] = document["paths"]
    schemas: Mapping[str, Any] = document.get("components", {}).get("schemas", {})
    return page(
        document["info"]["title"],
        made("p", f"version {document['info']['version']}, ", _link("/", "back")),
        *(
            element
            for path, operations in paths.items()
            for method, operation in operations.items()
            for element in _operation(f"{method.upper()} {path}", operation)
        ),
        made("h2", "Schemas"),
        *(element for name, schema in schemas.items() for element in _schema(name, schema)),
    )


def _operation(title: str, operation: Mapping[str, Any]) -> Iterator[Element]:
    yield made("h2", made("code", title))
    yield made("p", operation.get("description") or operation.get("summary", ""))
    if operation.get("security"):
        names = ", ".join(name for one in operation["security"] for name in one)
        yield made("p", f"needs: {names}")
    if parameters := operation.get("parameters"):
        rows = [(one["name"], one["in"], _type(one.get("schema", {}))) for one in parameters]
        yield table(("parameter", "in", "type"), rows)
    if body := operation.get("requestBody"):
        yield made("p", "body: ", *_types(body))
    answers = operation.get("responses", {})
    rows = [
        (code, one.get("description", ""), made("span", *_types(one)))
        for code, one in answers.items()
    ]
    yield table(("status", "meaning", "reply"), rows)


def _schema(name: str, schema: Mapping[str, Any]) -> Iterator[Element]:
    yield made("h3", name, id=name)
    yield made("p", schema.get("description", ""))
    fields: Mapping[str, Any] = schema.get("properties", {})
    rows = [(key, _type(field), field.get("description", "")) for key, field in fields.items()]
    yield table(("field", "type", "meaning"), rows)


def _types(message: Mapping[str, Any]) -> Iterator[Content]:
    """Yield the content types of a body or reply, each with its schema."""
    for kind, media in message.get("content", {}).items():
        yield made("span", f"{kind} ", _type(media.get("schema", {})), " ")


def _type(schema: Mapping[str, Any]) -> Element:
    """Return the type of a value; the name of a schema is a link to it."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _link(f"#{name}", name)
    if "anyOf" in schema:
        either = (part for one in schema["anyOf"] for part in (" or ", _type(one)))
        return made("span", *list(either)[1:])
    if schema.get("type") == "array":
        return made("span", "list of ", _type(schema.get("items", {})))
    if choices := schema.get("enum"):
        return made("span", ", ".join(str(one) for one in choices))
    return made("span", str(schema.get("const", schema.get("format", schema.get("type", "any")))))


def page(title: str, *content: Content) -> HTMLResponse:
    """Return a page of a service, which loads nothing from elsewhere."""
    html = Element("html", lang="en")
    head = SubElement(html, "head")
    head.append(made("title", title))
    head.append(Element("meta", name="viewport", content="width=device-width"))
    head.append(made("style", _STYLE))
    html.append(made("body", made("h1", title), *content))
    text = tostring(html, encoding="unicode", method="html")
    return HTMLResponse(f"<!DOCTYPE html>\n{text}", headers=_HEADERS)


def table(heads: Iterable[str], rows: Iterable[Iterable[Content]]) -> Element:
    """Return a table of a page."""
    lines = [made("tr", *(made("td", cell) for cell in row)) for row in rows]
    return made("table", made("tr", *(made("th", one) for one in heads)), *lines)


def _link(path: str, text: str = "") -> Element:
    return made("a", text or path, href=path)

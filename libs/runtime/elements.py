"""Elements of HTML pages. Their text is escaped by the element tree when it is written."""

from xml.etree.ElementTree import Element

Content = Element | str


def made(name: str, /, *content: Content, **attributes: str) -> Element:
    """Return an element with text and elements in it; `class_` is class, `data_x` data-x."""
    names = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
    element = Element(name, names)
    for one in content:
        if isinstance(one, Element):
            element.append(one)
        elif len(element):
            element[-1].tail = (element[-1].tail or "") + one
        else:
            element.text = (element.text or "") + one
    return element

"""XML of unknown origin: no document type, hence no entities; bounded in length and in the number of its elements."""

from __future__ import annotations

from xml.etree import ElementTree

from .texts import decode

_MOST_ELEMENTS = 1_000_000


def parse_xml(data: bytes) -> ElementTree.Element:
    """The root of a document; ValueError where it is none, declares a document type, or has too many elements.

    Entities can be declared in a document type only. The text is decoded first, so that an encoding which the parser
    knows and the search does not cannot hide one.
    """
    text = decode(data).text
    if "<!DOCTYPE" in text:
        raise ValueError("it declares a document type, which is not read")
    if text.count("<") - text.count("</") > _MOST_ELEMENTS:
        raise ValueError(f"more than {_MOST_ELEMENTS:,} elements are not read")
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ValueError(f"it is not XML: {error}") from error


def text_at(element: ElementTree.Element | None, path: str = ".") -> str:
    """The text of an element below another, stripped; '' where there is none."""
    found = None if element is None else element.find(path)
    return "" if found is None or found.text is None else found.text.strip()

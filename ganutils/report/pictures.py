"""Pictures of a notebook: only its own bytes, checked before Typst sees them, at their size in print."""

import base64
import binascii
import io
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from xml.etree import ElementTree

from ganutils.report.markup import call, string
from ganutils.report.typesetting import accepts

TEXT_WIDTH = 6.4 * 2.54  # cm between the margins of the template; the figures are drawn for it
TALLEST = 19.0  # cm, so that a caption fits below on the same page
USUAL_TALLEST = 10.5  # cm for pictures whose size nobody chose: two fit on a page
SHARES = {"full": 1.0, "wide": 0.8, "column": 0.48}
RASTERS = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif"}
SVG = "image/svg+xml"

_SVG = "{http://www.w3.org/2000/svg}"
_SHAPES = {"path", "use", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan"}
_HELPERS = {"svg", "g", "defs", "title", "desc", "clipPath", "style", "symbol", "marker", "mask", "pattern"}
_DRAWING = _SHAPES | _HELPERS | {"image", "linearGradient", "radialGradient", "stop"}
_INSIDE = ("#", "data:image/png;base64,", "data:image/jpeg;base64,")
_LENGTH = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(pt|px|in|cm|mm|)\s*")
_CM = {"pt": 2.54 / 72, "px": 2.54 / 96, "": 2.54 / 96, "in": 2.54, "cm": 1.0, "mm": 0.1}
_OUTSIDE = re.compile(r"url\s*\(\s*['\"]?\s*(?!#)|@import|expression\s*\(", re.IGNORECASE)


@dataclass(frozen=True)
class Picture:
    """A checked picture; `width` and `height` are its own size in cm."""

    data: bytes
    ending: str
    width: float
    height: float

    @property
    def name(self) -> str:
        """Return a file name that depends on the content alone."""
        return f"{sha256(self.data).hexdigest()[:16]}.{self.ending}"


def choose(bundle: dict[str, Any], known_width: Any = None) -> Picture | None:
    """Return the best safe picture of an output's data: drawing before pixels; None without one.

    `known_width` is the width in CSS pixels that the output's metadata give.
    """
    if isinstance(bundle.get(SVG), str | list) and (drawing := _drawing("".join(bundle[SVG]))):
        return drawing
    for kind, ending in RASTERS.items():
        if kind in bundle and (picture := _raster("".join(bundle[kind]), ending, known_width)):
            return picture
    return None


def from_address(address: str, attachments: dict[str, Any]) -> Picture | None:
    """Return the picture behind `attachment:name` or a `data:` address; never from a path or the web."""
    if address.startswith("attachment:"):
        return choose(attachments.get(address.removeprefix("attachment:"), {}))
    head, _, body = address.partition(";base64,")
    kind = head.removeprefix("data:")
    return choose({kind: body}) if head.startswith("data:") and kind in RASTERS else None


def size(picture: Picture, wish: Any = None) -> tuple[float, float]:
    """Return width and height in cm.

    `wish` is "full", "wide", "column" or a fraction of the text's width; anything else means own size.
    """
    share = SHARES.get(wish) if isinstance(wish, str) else wish
    if isinstance(share, int | float) and 0.05 <= share <= 1:
        width, tallest = share * TEXT_WIDTH, TALLEST
    else:
        width, tallest = min(picture.width, TEXT_WIDTH), USUAL_TALLEST
    scale = min(width / picture.width, tallest / picture.height)
    return round(picture.width * scale, 3), round(picture.height * scale, 3)


def image(picture: Picture, alt: str, wish: Any = None) -> str:
    """Return the Typst markup of a picture; pixels stay sharp instead of being smoothed."""
    width, _ = size(picture, wish)
    sharp = {} if picture.ending == "svg" else {"scaling": '"pixelated"'}
    return call("picture", string(picture.name), f"{width}cm", alt=string(alt), **sharp)


def _raster(encoded: str, ending: str, known_width: Any) -> Picture | None:
    from PIL import Image

    try:
        data = base64.b64decode(encoded)
        with Image.open(io.BytesIO(data)) as opened:
            pixels, dpi = opened.size, opened.info.get("dpi", (96, 96))[0]
    except (binascii.Error, ValueError, OSError, SyntaxError, Image.DecompressionBombError):
        return None
    width = pixels[0] / (dpi if 20 <= dpi <= 2400 else 96) * 2.54
    if isinstance(known_width, int | float) and known_width > 0:
        width = known_width * _CM["px"]
    return _accepted(Picture(data, ending, width, width * pixels[1] / pixels[0]))


def _drawing(text: str) -> Picture | None:
    """Return an SVG that only draws: no scripts, entities, foreign elements or links outside itself."""
    if "<!ENTITY" in text:
        return None
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return None
    for parent in root.iter():
        for child in [c for c in parent if c.tag == _SVG + "metadata"]:
            parent.remove(child)
    if root.tag != _SVG + "svg" or not all(_harmless(element) for element in root.iter()):
        return None
    lengths = [_centimetres(root.get(side, "")) for side in ("width", "height")]
    if not all(lengths):
        return None
    ElementTree.register_namespace("", _SVG[1:-1])
    ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    return _accepted(Picture(ElementTree.tostring(root), "svg", *lengths))


def _accepted(picture: Picture) -> Picture | None:
    return picture if accepts(picture.name, picture.data) else None


def _harmless(element: ElementTree.Element) -> bool:
    if not isinstance(element.tag, str) or element.tag.removeprefix(_SVG) not in _DRAWING:
        return False
    if _OUTSIDE.search(element.text or ""):
        return False
    for name, value in element.attrib.items():
        plain = name.rpartition("}")[2].lower()
        if plain.startswith("on") or _OUTSIDE.search(value):
            return False
        if plain in ("href", "src") and not value.startswith(_INSIDE):
            return False
    return True


def _centimetres(length: str) -> float:
    match = _LENGTH.fullmatch(length)
    return float(match[1]) * _CM[match[2]] if match else 0.0

"""Readable tones of an organisation's colour, for text and buttons on light and dark grounds.

The portal sets text in the accent on paper, on sheets and on the accent's own wash, and fills buttons with it.
WCAG requires 4.5:1 there; an accent with less contrast is darkened on light grounds and lightened on dark ones.
"""

import colorsys
from dataclasses import dataclass

Colour = tuple[float, float, float]  # red, green, blue from 0 to 1

READABLE = 4.5
STEP = 0.01
# Grounds of app/static/refdesk/tokens.css: paper, sheet.
LIGHT_GROUNDS = ("#fbfaf7", "#ffffff")
DARK_GROUNDS = ("#151613", "#1d1f1b")
WASH_LIGHT, WASH_DARK = 0.11, 0.16


@dataclass(frozen=True, slots=True)
class Tone:
    """A tone as hexadecimal colours: one for text and buttons, one for the wash behind selected items."""

    ink: str
    wash: str


def colour_read(text: str) -> Colour:
    """Return the colour of #rrggbb."""
    red, green, blue = (int(text[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def colour_write(colour: Colour) -> str:
    return "#" + "".join(f"{round(part * 255):02x}" for part in colour)


def luminance(colour: Colour) -> float:
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: Colour, second: Colour) -> float:
    """Return WCAG's contrast ratio, from 1 to 21."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def tones(accent: str) -> tuple[Tone, Tone]:
    """Return the tones for light and for dark grounds."""
    return _tone(accent, LIGHT_GROUNDS, WASH_LIGHT, -STEP), _tone(accent, DARK_GROUNDS, WASH_DARK, STEP)


def _tone(accent: str, grounds: tuple[str, str], share: float, step: float) -> Tone:
    hue, lightness, saturation = colorsys.rgb_to_hls(*colour_read(accent))
    sheet = colour_read(grounds[1])
    while True:
        # Rounded as written to CSS, so that the check applies to the displayed colour.
        ink = colour_read(colour_write(colorsys.hls_to_rgb(hue, lightness, saturation)))
        wash = colour_read(colour_write(_mix(ink, sheet, share)))
        if all(contrast(ink, ground) >= READABLE for ground in (*map(colour_read, grounds), wash)):
            return Tone(colour_write(ink), colour_write(wash))
        lightness = min(1.0, max(0.0, lightness + step))


def _mix(first: Colour, second: Colour, share: float) -> Colour:
    red, green, blue = (a * share + b * (1 - share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def accent_css(accent: str) -> str:
    """Return the CSS tokens that an accent changes."""
    light, dark = tones(accent)
    return f":root{{--lamp:light-dark({light.ink},{dark.ink});--lampwash:light-dark({light.wash},{dark.wash})}}\n"

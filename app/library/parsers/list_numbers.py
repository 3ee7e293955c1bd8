"""Numbers of list items as they are shown: digits, letters and Roman numerals."""

_ROMAN = ((100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))


def item_number(style: str, number: int) -> str:
    """Return the number of a list's item as it is shown. style: `1`, `a`, `A`, `i` or `I`."""
    if style in "aA" and number > 0:
        letters = ""
        while number > 0:
            number, rest = divmod(number - 1, 26)
            letters = chr(ord("a") + rest) + letters
        return letters.upper() if style == "A" else letters
    if style in "iI" and 0 < number < 400:
        roman = ""
        for value, letters in _ROMAN:
            roman += letters * (number // value)
            number %= value
        return roman.upper() if style == "I" else roman
    return str(number)

"""Number formats of spreadsheets: a stored number as the text that its cell shows."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import lru_cache
from math import isfinite

from app.library.parsers.date_formats import is_date_code, shown_date

# Formats without a code in the file. Short dates depend on the reader's country: the order of ISO misleads nobody.
_ACCOUNT = '#,##0{0};(#,##0{0});"-"'
BUILTIN = {
    0: "General", 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00",
    5: "$#,##0;-$#,##0", 6: "$#,##0;-$#,##0", 7: "$#,##0.00;-$#,##0.00", 8: "$#,##0.00;-$#,##0.00",
    9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?", 13: "# ??/??",
    14: "yyyy-mm-dd", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM",
    20: "h:mm", 21: "h:mm:ss", 22: "yyyy-mm-dd h:mm",
    37: "#,##0;(#,##0)", 38: "#,##0;(#,##0)", 39: "#,##0.00;(#,##0.00)", 40: "#,##0.00;(#,##0.00)",
    41: _ACCOUNT.format(""), 42: "$" + _ACCOUNT.format("").replace("(#", "($#"),
    43: _ACCOUNT.format(".00"), 44: "$" + _ACCOUNT.format(".00").replace("(#", "($#"),
    45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0", 48: "##0.0E+0", 49: "@",
    **dict.fromkeys((*range(27, 37), *range(50, 59)), "yyyy-mm-dd"),
}  # fmt: skip
_TOKEN = re.compile(r'"([^"]*)"?|\\(.)|_.|\*.|\[([^\]]*)\]|(General)|(E[+-])|([0#?])|(.)', re.I | re.S)
_SECTION = re.compile(r'(?:"[^"]*"?|\\.|\[[^\]]*\]|[^;])*', re.S)
_CONDITION = re.compile(r"(<=|>=|<>|<|>|=)\s*(-?[\d.]+)\Z")
_FRACTION = re.compile(r"([#0?]+ +)?([#0?]+)\s*/\s*([#0?]+|\d+)")
_CODE_CHARS = 500
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b, "=": lambda a, b: a == b, "<>": lambda a, b: a != b,
}  # fmt: skip
_FIRST_DAY = datetime(1899, 12, 30)
_FIRST_DAY_1904 = datetime(1904, 1, 1)

Formatter = Callable[[float], str]


def general(value: float) -> str:
    """Return a number without a format: whole numbers in full, others without the noise of binary fractions."""
    if not isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e17:
        return str(int(value))
    text = f"{value:.15g}"
    if len(text.strip("-").replace(".", "").lstrip("0")) > 14 and "e" not in text:
        text = f"{value:.10g}"
    return text.upper() if "e" in text or "." not in text else text.rstrip("0").rstrip(".")


@lru_cache(maxsize=2000)
def formatter(code: str, *, from_1904: bool = False) -> Formatter:
    """Return the function that writes a number as a format code says."""
    code = code[:_CODE_CHARS]
    if code.lower() in ("general", "@", ""):
        return general
    sections = [_Section(text, from_1904=from_1904) for text in _SECTION.findall(code)[:-1] if text][:3] or [
        _Section("General", from_1904=from_1904)
    ]
    chosen = _chooser(sections)

    def write(value: float) -> str:
        try:
            section, magnitude = chosen(value)
            return section.write(magnitude)
        except (ValueError, ArithmeticError, IndexError):
            return general(value)

    return write


def _chooser(sections: list["_Section"]) -> Callable[[float], tuple["_Section", float]]:
    if any(section.condition for section in sections):

        def by_condition(value: float) -> tuple[_Section, float]:
            for section in sections:
                if section.condition is None or _COMPARISONS[section.condition[0]](value, section.condition[1]):
                    return section, value
            return sections[-1], value

        return by_condition

    def by_sign(value: float) -> tuple[_Section, float]:
        if value < 0 and len(sections) > 1:
            return sections[1], -value
        if value == 0 and len(sections) > 2:
            return sections[2], value
        return sections[0], value

    return by_sign


class _Section:
    """One part of a format code, for the numbers that its condition or place selects."""

    def __init__(self, code: str, *, from_1904: bool) -> None:
        self.condition: tuple[str, float] | None = None
        self.code = code
        self.tokens = list(self._tokens(code))
        self.first_day = _FIRST_DAY_1904 if from_1904 else _FIRST_DAY
        kinds = [kind for kind, _ in self.tokens]
        self.is_date = is_date_code(code)
        self.digits = kinds.count("digit")
        self.percent = sum(1 for kind, text in self.tokens if (kind, text) == ("char", "%"))
        self.fraction = None if self.is_date else _FRACTION.search(re.sub(r'"[^"]*"|\[[^\]]*\]', "", code))
        last = max((at for at, kind in enumerate(kinds) if kind == "digit"), default=-1)
        first = kinds.index("digit") if last >= 0 else 0
        commas = [at for at, token in enumerate(self.tokens) if token == ("char", ",")]
        point = next((at for at, token in enumerate(self.tokens) if token == ("char", ".")), len(kinds))
        whole_end = max((at for at in range(min(point, len(kinds))) if kinds[at] == "digit"), default=-1)
        self.thousands = any(first < at < whole_end for at in commas)
        # Commas behind the digits divide by a thousand each.
        scaling = [
            at
            for at in commas
            for end in {whole_end, last}
            if 0 <= end < at and set(range(end + 1, at + 1)) <= set(commas)
        ]
        self.scale = len(scaling)
        self.dropped = frozenset(scaling) | {at for at in commas if first < at < whole_end}
        self.point = point if last >= 0 else -1
        self.exponent = next((at for at, kind in enumerate(kinds) if kind == "exponent"), -1)

    def _tokens(self, code: str) -> list[tuple[str, str]]:
        tokens: list[tuple[str, str]] = []
        for match in _TOKEN.finditer(code):
            quoted, escaped, bracket, word, exponent, digit, char = match.groups()
            if bracket is not None:
                condition = _CONDITION.match(bracket)
                if condition:
                    self.condition = condition[1], float(condition[2])
                elif bracket.startswith("$"):
                    tokens.append(("text", bracket[1:].rpartition("-")[0] if "-" in bracket else bracket[1:]))
            elif word:
                tokens.append(("general", word))
            elif exponent:
                tokens.append(("exponent", exponent))
            elif digit:
                tokens.append(("digit", digit))
            elif char is not None:
                tokens.append(("char", char))
            elif quoted is not None or escaped is not None:
                tokens.append(("text", quoted if quoted is not None else escaped))
            elif match.group().startswith("_"):
                tokens.append(("text", " "))
        return tokens

    def write(self, value: float) -> str:
        if self.is_date:
            return shown_date(self.code, value, self._moment(value))
        if self.fraction:
            return self._with_fraction(value)
        if not self.digits:
            return self._words(value)
        sign = "-" if value < 0 else ""
        number = abs(Decimal(repr(value))) * (100**self.percent) / (1000**self.scale)
        if self.exponent >= 0:
            return sign + self._with_exponent(number)
        text = self._laid(number)
        # A number that is rounded to nothing has no sign.
        return (sign if any(char in "123456789" for char in text) else "") + text

    def _moment(self, value: float) -> datetime | None:
        if not 0 <= value < 2_958_466:
            return None
        # The first spreadsheet program believed in a 29 February 1900.
        day = self.first_day + timedelta(days=1) if self.first_day == _FIRST_DAY and value < 60 else self.first_day
        return day + timedelta(milliseconds=round(value * 86_400_000))

    def _words(self, value: float) -> str:
        parts = (general(value) if kind == "general" or text == "@" else text for kind, text in self.tokens)
        return " ".join("".join(parts).split())

    def _laid(self, number: Decimal) -> str:
        """Lay digits over the placeholders, those before the point from the right."""
        places = [text for at, (kind, text) in enumerate(self.tokens) if kind == "digit" and at > self.point]
        rounded = number.quantize(Decimal(1).scaleb(-len(places)), ROUND_HALF_UP)
        whole, _, decimals = f"{rounded:f}".partition(".")
        while places and places[-1] != "0" and decimals.endswith("0"):
            decimals, _ = decimals[:-1], places.pop()
        before = [at for at, (kind, _) in enumerate(self.tokens) if kind == "digit" and at < self.point]
        zeros = len(before) - next((n for n, at in enumerate(before) if self.tokens[at][1] == "0"), len(before))
        whole = whole.lstrip("0").rjust(zeros, "0")
        if self.thousands:
            whole = f"{int(whole or 0):,}".rjust(zeros, "0") if whole else ""
            digits = dict.fromkeys(before, "") | ({before[0]: whole} if before else {})
        else:
            digits = {at: whole[-n : len(whole) - n + 1] for n, at in enumerate(reversed(before), 1)}
            if before:
                digits[before[0]] = whole[: max(0, len(whole) - len(before) + 1)]
        out: list[str] = []
        decimal = iter(decimals)
        for at, (kind, text) in enumerate(self.tokens):
            if kind == "digit":
                out.append(digits[at] if at < self.point else next(decimal, ""))
            elif at == self.point:
                out.append("." if decimals else "")
            elif at not in self.dropped and kind != "general":
                out.append(text)
        return " ".join("".join(out).split())

    def _with_exponent(self, number: Decimal) -> str:
        mantissa = self.tokens[: self.exponent]
        places = 0
        if ("char", ".") in mantissa:
            places = sum(1 for kind, _ in mantissa[mantissa.index(("char", ".")) :] if kind == "digit")
        shown = f"{number:.{places}e}".lower()
        base, _, power = shown.partition("e")
        width = sum(1 for kind, _ in self.tokens[self.exponent :] if kind == "digit")
        sign = "-" if power.startswith("-") else "+" if self.tokens[self.exponent][1].endswith("+") else ""
        return f"{base}E{sign}{power.lstrip('+-').lstrip('0').rjust(width, '0')}"

    def _with_fraction(self, value: float) -> str:
        assert self.fraction is not None
        whole_places, _, below = self.fraction.groups()
        sign, value = ("-", -value) if value < 0 else ("", value)
        whole = int(value) if whole_places else 0
        if below.isdecimal() and below.strip("0"):
            part = Fraction(round((value - whole) * int(below)), 1)
            top, bottom = int(part), int(below)
        else:
            part = Fraction(value - whole).limit_denominator(10 ** min(len(below), 4) - 1)
            top, bottom = part.numerator, part.denominator
        if whole_places and top == bottom:
            whole, top = whole + 1, 0
        shown = f"{top}/{bottom}" if top else ""
        return sign + (" ".join(filter(None, (str(whole) if whole else "", shown))) or "0")

"""Control words of RTF: what they show, and which groups are text of the document."""

SIGNS = {
    "emdash": "\u2014", "endash": "\u2013", "bullet": "\u2022", "lquote": "\u2018", "rquote": "\u2019",
    "ldblquote": "\u201c", "rdblquote": "\u201d", "tab": "\t", "line": "\n", "emspace": " ", "enspace": " ",
    "qmspace": " ",
}  # fmt: skip
SYMBOLS = {"~": " ", "_": "-", "{": "{", "}": "}", "\\": "\\"}
# Groups that are never text of the document.
NOT_TEXT = frozenset(
    {"colortbl", "pict", "nonshppict", "shprslt", "sp", "nonesttables", "filetbl", "revtbl", "listtable", "xe", "tc"}
    | {"themedata", "datastore", "objdata", "bkmkstart", "bkmkend", "mmathPict", "ftnsep", "ftnsepc", "aftnsep", "rxe"}
    | {"aftnsepc", "ftncn", "aftncn", "pntxta", "pntxtb"}
)
# Groups after `\*` that hold text all the same.
TEXT_AFTER_STAR = frozenset(
    {"fldinst", "shpinst", "annotation", "atnauthor", "atndate", "nesttableprops", "ud", "moMath", "moMathPara", "do"}
    | {"footnote"}
)
STORIES = {
    "footnote": "note", "annotation": "comment", "shptxt": "box", "dptxbxtext": "box", "listtext": "number",
    "pntext": "number", "title": "title", "atnauthor": "author", "atndate": "day", "fldinst": "instruction",
    **{f"{name}{part}": "page" for name in ("header", "footer") for part in ("", "l", "r", "f")},
}  # fmt: skip
MATH = {"mnum": ("(", ")/"), "mden": ("(", ")"), "msup": ("^", ""), "msub": ("_", "")}

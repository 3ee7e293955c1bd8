"""Questions: their validation, and the query for a question that depends on the previous one.

No model rewrites the question: a rule costs nothing, works without a model and cannot invent. A short question, or one
that refers back ("and for contractors?", "how long does it take?"), is searched together with the previous question.
"""

import re
from collections.abc import Sequence

from app.errors import Invalid

LONGEST = 2000
SHORT = 3  # words: "And in Berlin?" needs the previous question
POINTING = 12  # words: a longer question names its subject
CARRIED = 2  # earlier questions that may be joined

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_OPENS_BACK = re.compile(
    r"(?:and|but|also|or|so|then|what about|how about|why|und|aber|auch|oder|warum|wieso|was ist mit|y|pero|también|o"
    r"|por qué|qué pasa con|et|mais|aussi|pourquoi)\b",
    re.IGNORECASE,
)
_POINTS_BACK = re.compile(
    r"\b(?:it|its|they|them|their|he|she|his|her|this|that|these|those|there|one|ones|same|er|ihn|ihm|ihr|ihre|sie|es"
    r"|das|dies|diese|dieser|dieses|dort|davon|dafür|damit|dazu|ello|ella|ellos|ellas|eso|esto|esa|ese|esta|este|allí"
    r"|il|elle|ils|elles|cela|ça|ceci|celui|celle|là)\b",
    re.IGNORECASE,
)
_NO_SPACES = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def question_check(text: str) -> str:
    """Return the question without the white space around it.

    Raises:
        Invalid: question_empty or question_too_long.
    """
    text = text.replace("\x00", "").strip()
    if not text:
        raise Invalid("question_empty")
    if len(text) > LONGEST:
        raise Invalid("question_too_long", details={"limit": LONGEST, "length": len(text)})
    return text


def question_points_back(text: str) -> bool:
    """Return whether the question seems to need the previous one."""
    if _NO_SPACES.search(text):
        return len(text) <= 8
    words = len(_WORD.findall(text))
    return words <= SHORT or (words <= POINTING and bool(_OPENS_BACK.match(text) or _POINTS_BACK.search(text)))


def query_make(*, question: str, earlier: Sequence[str]) -> str:
    """Return the text to search for. earlier: the conversation's questions, newest first.

    Earlier questions are added up to one that stands alone, at most CARRIED of them.
    """
    parts = [question]
    for before in earlier[:CARRIED]:
        if not question_points_back(parts[0]):
            break
        parts.insert(0, before)
    return " ".join(parts)[-LONGEST:]

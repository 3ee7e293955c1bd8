"""The known name that somebody most likely meant."""

from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str], *, form: str = "{}") -> str:
    """Return " Did you mean NAME?" for the known name nearest to a mistyped one, or an empty text.

    form: how the name is written, as "--source {}".
    """
    # Loaded late: nobody pays for it who makes no mistake.
    from difflib import get_close_matches

    names = {each.casefold(): each for each in known}
    close = get_close_matches(name.casefold(), list(names), n=1, cutoff=0.6)
    return f" Did you mean {form.format(names[close[0]])}?" if close else ""

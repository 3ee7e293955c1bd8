"""How many tokens an embedding model sees in a text."""

from typing import Protocol


class TokenCounter(Protocol):
    def count(self, text: str) -> int:
        """Tokens of `text` without the model's special tokens; adds up over pieces parted at white space."""
        ...


def counter_for(model: str) -> TokenCounter:
    """The packaged model's own tokenizer, or an estimate for a model that is not known here."""
    raise NotImplementedError

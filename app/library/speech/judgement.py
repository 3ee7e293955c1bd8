"""What of a model's words is taken for speech."""

# Below these a segment is a guess: the model's own threshold for another try, and words on music or noise.
LEAST_LOGPROB = -1.0
NO_SPEECH = 0.6
_LEAST_LOGPROB_NO_SPEECH = -0.6
# Of the text's size to its compressed size. Above the first the model tries again, and a model that is stuck has more
# than the second; "it was the best of times, it was the worst of times" has 2.35.
MOST_COMPRESSION = 2.4
_STUCK = 3.5


def is_speech(*, logprob: float | None, no_speech: float | None, compression: float | None) -> bool:
    """Return whether a segment is something that was said. None: the model does not tell."""
    if compression is not None and compression > _STUCK:
        return False
    if logprob is None:
        return True
    if logprob < LEAST_LOGPROB:
        return False
    return not (no_speech is not None and no_speech > NO_SPEECH and logprob < _LEAST_LOGPROB_NO_SPEECH)

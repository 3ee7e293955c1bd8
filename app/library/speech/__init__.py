"""Speech to text: a recording becomes segments of words with their times.

`protocol.py` says what a transcriber is, `local.py` and `remote.py` are the two; foreign bytes are read by the confined
program `child.py` alone. `transcript.py` is what is kept of a recording, and makes blocks of it.
"""

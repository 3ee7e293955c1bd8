"""A packaged embedding model on ONNX Runtime: computes unit vectors of texts, questions before documents.

Measured on 2 cores with all-MiniLM-L6-v2 int8 and texts of 256 tokens: one text per run and one single-threaded run
per core does 30 to 35 texts/s; batches of 16 do 13 to 15, because their activations do not fit the cache. So a batch
is one long text or a few short ones, and each run uses one thread. Documents have a thread per core at the lowest
priority, and questions have threads of their own, so that they never wait behind a batch.
"""

import contextlib
import ctypes
import math
import os
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Encoding, Tokenizer

from app.llm.embedding_models import EmbeddingModel, file_find

# Padded tokens of one run: one text of 256 tokens takes 60 ms on one core, as do 16 texts of 16 tokens.
BATCH_TOKENS = 256
# Limits of the queues: about a minute of documents on 2 cores, and more questions than people ask.
WAITING_DOCUMENTS, WAITING_QUESTIONS = 2048, 256
QUESTION_THREADS = 2
NICE_DOCUMENTS = 19
# A text is cut to this per token of the model before it is tokenized, so that a huge text costs little.
CHARACTERS_PER_TOKEN = 64


class Busy(Exception):
    """Raised when the queue is full; `retry_after_s` estimates when it has room."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("the queue is full")
        self.retry_after_s = retry_after_s


@dataclass(slots=True)
class Lane:
    """A queue for texts of one kind, with its own threads; `waiting` counts texts that wait or run."""

    threads: ThreadPoolExecutor
    limit: int
    waiting: int = 0


@dataclass(slots=True)
class EmbeddingWork:
    """One request: a future per batch, and the places of each batch's texts in the request."""

    batches: list[tuple[Future[Any], list[int]]]
    tokens: list[int]
    truncated: list[bool]

    def cancel(self) -> None:
        """Cancel the batches that have not begun."""
        for future, _ in self.batches:
            future.cancel()


def lower_priority() -> None:
    """Lower the priority of the calling thread (Linux), so that documents leave the processor to other work."""
    os.nice(NICE_DOCUMENTS)


def batches_of(lengths: Sequence[int]) -> list[list[int]]:
    """Sort texts by length into batches of at most BATCH_TOKENS when padded; return their positions.

    The longest come first, so that the short ones fill the cores at the end.
    """
    batches: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        if batches and (len(batches[-1]) + 1) * lengths[batches[-1][0]] <= BATCH_TOKENS:
            batches[-1].append(place)
        else:
            batches.append([place])
    return batches


def memory_return() -> None:
    """Return freed memory to the system: 370 MB after work becomes 240 MB. Only glibc keeps it."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


class Embedder:
    """A packaged model, used from one event loop; only `encode` and `run` may be called from threads.

    Raises:
        ModelMissing: on opening.
    """

    def __init__(self, model: EmbeddingModel, *, cores: int | None = None) -> None:
        self.model = model
        self.tokenizer = Tokenizer.from_file(str(file_find(model.tokenizer)))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(model.max_tokens)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        # The arena grows to the largest batch so far and never shrinks: 860 MB instead of 240 MB.
        options.enable_cpu_mem_arena = options.enable_mem_pattern = False
        self.session = onnxruntime.InferenceSession(
            str(file_find(model.weights)), options, providers=["CPUExecutionProvider"]
        )
        documents = ThreadPoolExecutor(cores or os.cpu_count() or 1, "documents", initializer=lower_priority)
        self.documents = Lane(documents, WAITING_DOCUMENTS)
        self.questions = Lane(ThreadPoolExecutor(QUESTION_THREADS, "questions"), WAITING_QUESTIONS)
        self.per_text_s = 0.05
        self.runs = 0

    def enter(self, count: int, *, question: bool) -> Lane:
        """Reserve `count` places in the queue; the caller frees them by `lane.waiting -= count`.

        Raises:
            Busy: too many texts wait. A request to an empty queue is always accepted.
        """
        lane = self.questions if question else self.documents
        if lane.waiting and lane.waiting + count > lane.limit:
            raise Busy(max(1, math.ceil(lane.waiting * self.per_text_s)))
        lane.waiting += count
        return lane

    def encode(self, texts: list[str]) -> list[Encoding]:
        """Tokenize texts, cut at the model's limit. 1 ms for a text of 256 tokens, without the GIL."""
        longest = self.model.max_tokens * CHARACTERS_PER_TOKEN
        return self.tokenizer.encode_batch([text[:longest] for text in texts])

    def start(self, encodings: list[Encoding], lane: Lane) -> EmbeddingWork:
        lengths = [len(encoding.ids) for encoding in encodings]
        work = EmbeddingWork([], lengths, [bool(encoding.overflowing) for encoding in encodings])
        for places in batches_of(lengths):
            future = lane.threads.submit(self.run, [encodings[place] for place in places])
            work.batches.append((future, places))
        return work

    def run(self, encodings: list[Encoding]) -> Any:
        """Compute unit vectors, one row per text, as little-endian float32."""
        begun = time.perf_counter()
        self.runs += 1
        width = max(len(encoding.ids) for encoding in encodings)
        ids = np.zeros((len(encodings), width), np.int64)
        mask = np.zeros_like(ids)
        for row, encoding in enumerate(encodings):
            ids[row, : len(encoding.ids)] = encoding.ids
            mask[row, : len(encoding.ids)] = 1
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        states = self.session.run(None, inputs)[0]
        weights = mask[:, :, None].astype(np.float32)
        vectors = (states * weights).sum(axis=1) / weights.sum(axis=1)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        spent_s = (time.perf_counter() - begun) / len(encodings)
        self.per_text_s += 0.05 * (spent_s - self.per_text_s)
        return vectors.astype("<f4")

    def close(self) -> None:
        for lane in (self.documents, self.questions):
            lane.threads.shutdown(wait=False, cancel_futures=True)

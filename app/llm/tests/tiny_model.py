"""A tiny Llama with random weights as a GGUF file for Ollama: a real server and a real API with meaningless text.

Its vocabulary is the packaged embedding model's, so a token is about as long as a real model's.
"""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from app.llm.embedding_models import MINILM, file_find

WIDTH, INNER, LAYERS, HEADS, TRAINED = 256, 1024, 4, 4, 8192
ALIGNMENT = 32
UINT32, FLOAT32, STRING, ARRAY, INT32, BOOL = 4, 6, 8, 9, 5, 7
F32, F16 = 0, 1
NORMAL, UNKNOWN, CONTROL = 1, 2, 3


def tiny_model_write(path: Path) -> None:
    """Write the file: 40 MB, most of it the vocabulary."""
    words = orjson.loads(file_find(MINILM.tokenizer).read_bytes())["model"]["vocab"]
    vocabulary = sorted(words, key=words.__getitem__)
    metadata = _metadata(vocabulary, words)
    tensors = _tensors(len(vocabulary))
    with path.open("wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata)))
        for name, (kind, value) in metadata.items():
            file.write(_string(name) + struct.pack("<I", kind) + _value(kind, value))
        offset = 0
        for name, tensor in tensors.items():
            shape = tensor.shape[::-1]
            file.write(_string(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape))
            file.write(struct.pack("<IQ", F16 if tensor.dtype == np.float16 else F32, offset))
            offset += -(-tensor.nbytes // ALIGNMENT) * ALIGNMENT
        file.write(b"\0" * (-file.tell() % ALIGNMENT))
        for tensor in tensors.values():
            file.write(tensor.tobytes() + b"\0" * (-tensor.nbytes % ALIGNMENT))


def _metadata(vocabulary: list[str], words: dict[str, int]) -> dict[str, tuple[int, Any]]:
    # GGUF marks a piece that begins a word, WordPiece one that continues a word.
    pieces = [
        piece if piece.startswith("[") and piece.endswith("]") else piece[2:] if piece.startswith("##") else f"▁{piece}"
        for piece in vocabulary
    ]
    kinds = [CONTROL if piece in ("[CLS]", "[SEP]", "[PAD]", "[MASK]") else NORMAL for piece in vocabulary]
    return {
        "general.architecture": (STRING, "llama"),
        "general.name": (STRING, "tiny"),
        "general.file_type": (UINT32, F16),
        "llama.context_length": (UINT32, TRAINED),
        "llama.embedding_length": (UINT32, WIDTH),
        "llama.block_count": (UINT32, LAYERS),
        "llama.feed_forward_length": (UINT32, INNER),
        "llama.attention.head_count": (UINT32, HEADS),
        "llama.attention.head_count_kv": (UINT32, HEADS),
        "llama.attention.layer_norm_rms_epsilon": (FLOAT32, 1e-5),
        "llama.rope.dimension_count": (UINT32, WIDTH // HEADS),
        "llama.vocab_size": (UINT32, len(vocabulary)),
        "tokenizer.ggml.model": (STRING, "bert"),
        "tokenizer.ggml.tokens": (ARRAY, (STRING, pieces)),
        "tokenizer.ggml.token_type": (ARRAY, (INT32, kinds)),
        "tokenizer.ggml.bos_token_id": (UINT32, words["[CLS]"]),
        "tokenizer.ggml.eos_token_id": (UINT32, words["[SEP]"]),
        "tokenizer.ggml.unknown_token_id": (UINT32, words["[UNK]"]),
        "tokenizer.ggml.seperator_token_id": (UINT32, words["[SEP]"]),
        "tokenizer.ggml.padding_token_id": (UINT32, words["[PAD]"]),
        "tokenizer.ggml.mask_token_id": (UINT32, words["[MASK]"]),
        "tokenizer.ggml.add_bos_token": (BOOL, False),
        "tokenizer.ggml.add_eos_token": (BOOL, False),
    }


def _tensors(vocabulary: int) -> dict[str, "np.ndarray[Any, Any]"]:
    generator = np.random.default_rng(7)

    def matrix(rows: int, columns: int) -> "np.ndarray[Any, Any]":
        return (generator.standard_normal((rows, columns), dtype=np.float32) / columns**0.5).astype(np.float16)

    ones = np.ones(WIDTH, dtype=np.float32)
    tensors: dict[str, np.ndarray[Any, Any]] = {
        "token_embd.weight": matrix(vocabulary, WIDTH),
        "output_norm.weight": ones,
        "output.weight": matrix(vocabulary, WIDTH),
    }
    for layer in range(LAYERS):
        tensors |= {
            f"blk.{layer}.attn_norm.weight": ones,
            f"blk.{layer}.attn_q.weight": matrix(WIDTH, WIDTH),
            f"blk.{layer}.attn_k.weight": matrix(WIDTH, WIDTH),
            f"blk.{layer}.attn_v.weight": matrix(WIDTH, WIDTH),
            f"blk.{layer}.attn_output.weight": matrix(WIDTH, WIDTH),
            f"blk.{layer}.ffn_norm.weight": ones,
            f"blk.{layer}.ffn_gate.weight": matrix(INNER, WIDTH),
            f"blk.{layer}.ffn_up.weight": matrix(INNER, WIDTH),
            f"blk.{layer}.ffn_down.weight": matrix(WIDTH, INNER),
        }
    return tensors


def _string(text: str) -> bytes:
    content = text.encode()
    return struct.pack("<Q", len(content)) + content


def _value(kind: int, value: Any) -> bytes:
    match kind:
        case 8:
            return _string(value)
        case 9:
            item_kind, items = value
            return struct.pack("<IQ", item_kind, len(items)) + b"".join(_value(item_kind, item) for item in items)
        case 6:
            return struct.pack("<f", value)
        case 7:
            return struct.pack("<?", value)
        case 5:
            return struct.pack("<i", value)
        case _:
            return struct.pack("<I", value)

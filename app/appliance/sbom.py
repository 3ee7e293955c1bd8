"""List the contents of a bundle as CycloneDX 1.6: python -m app.appliance.sbom [--wheels FOLDER] [--npm LOCK | -]
[--container IMAGE ID]… >FILE

Without --wheels, as in the image: its Python packages, its Debian packages, the browser's packages, and the images
that run beside it. With --wheels the packages of a folder, for the embedded default. It imports no package and reads no
setting.
"""

import argparse
import json
import re
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from itertools import starmap
from pathlib import Path
from typing import Any
from urllib.parse import quote

DPKG, RELEASE = Path("/var/lib/dpkg/status"), Path("/etc/os-release")
# Longer ones are whole texts of licences, whose first line has the name.
LONGEST_LICENCE = 200


def component(kind: str, name: str, version: str, *, licence: str = "", query: str = "") -> dict[str, Any]:
    """Return a component. kind: as in package URLs: pypi, npm, deb/debian."""
    purl = f"pkg:{kind}/{quote(name, safe='/')}@{quote(version, safe='')}{query}"
    made: dict[str, Any] = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    if licence:
        made["licenses"] = [{"license": {"name": licence[:LONGEST_LICENCE]}}]
    return made


def python_packages(folders: list[str] | None) -> Iterator[dict[str, Any]]:
    """Yield the Python packages of these folders and wheels, or of the running Python."""
    found = metadata.distributions(path=folders) if folders is not None else metadata.distributions()
    for one in found:
        said = one.metadata
        classified = [line.rpartition(" :: ")[2] for line in said.get_all("Classifier") or [] if "License ::" in line]
        words = _first(said, "License-Expression") or " AND ".join(classified) or _first(said, "License")
        name = re.sub(r"[-_.]+", "-", said["Name"]).lower()
        yield component("pypi", name, one.version, licence=words.strip().partition("\n")[0])


def _first(said: metadata.PackageMetadata, field: str) -> str:
    return str((said.get_all(field) or [""])[0])


def debian_packages() -> Iterator[dict[str, Any]]:
    if not DPKG.exists():
        return
    release = re.search(r'^VERSION_ID="?([\w.]+)', RELEASE.read_text() if RELEASE.exists() else "", re.MULTILINE)
    distro = f"&distro=debian-{release[1]}" if release else ""
    for paragraph in DPKG.read_text(errors="replace").split("\n\n"):
        fields = dict(re.findall(r"^([A-Z][\w-]*): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed"):
            query = f"?arch={fields['Architecture']}{distro}"
            yield component("deb/debian", fields["Package"], fields["Version"], query=query)


def browser_packages(lock: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the packages in the browser's files, without those that are only for checks and the build."""
    for path, one in lock.get("packages", {}).items():
        if path and not one.get("dev"):
            name = path.rpartition("node_modules/")[2]
            scoped = name.replace("@", "%40", 1) if name.startswith("@") else name
            made = component("npm", name, one["version"], licence=str(one.get("license", "")))
            made["bom-ref"] = made["purl"] = f"pkg:npm/{scoped}@{quote(one['version'], safe='')}"
            yield made


def container(image: str, digest: str) -> dict[str, Any]:
    name, tag = re.fullmatch(r"(.*?)(?::([^/:]*))?", image).groups("latest")  # type: ignore[union-attr]
    algorithm, _, content = digest.rpartition(":")
    hashes = [{"alg": "SHA-256", "content": content}] if algorithm == "sha256" else []
    return {"type": "container", "bom-ref": f"image:{image}", "name": name, "version": tag, "hashes": hashes}


def sbom(components: list[dict[str, Any]], *, version: str) -> dict[str, Any]:
    ours = {"type": "application", "bom-ref": f"refdesk@{version}", "name": "refdesk", "version": version}
    unique = {one["bom-ref"]: one for one in components}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid4()}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
            "component": {**ours, "licenses": [{"license": {"id": "Apache-2.0"}}]},
        },
        "components": [unique[name] for name in sorted(unique)],
        "dependencies": [{"ref": ours["bom-ref"], "dependsOn": sorted(unique)}],
    }


def version_here() -> str:
    project = Path(__file__).resolve().parents[2] / "pyproject.toml"
    found = re.search(r'^version = "([^"]+)"', project.read_text(), re.MULTILINE)
    return found[1] if found else "0"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m app.appliance.sbom")
    parser.add_argument("--wheels", type=Path, help="describe the wheels of this folder, not this Python")
    parser.add_argument("--npm", default="", help="package-lock.json of the browser's part; - reads it from the input")
    parser.add_argument("--container", nargs=2, action="append", default=[], metavar=("IMAGE", "ID"))
    given = parser.parse_args()
    lock = json.loads(sys.stdin.read() if given.npm == "-" else Path(given.npm).read_text()) if given.npm else {}
    if given.wheels:
        found = [*python_packages([str(wheel) for wheel in sorted(given.wheels.glob("*.whl"))])]
    else:
        found = [*python_packages(None), *debian_packages(), *starmap(container, given.container)]
    json.dump(sbom([*found, *browser_packages(lock)], version=version_here()), sys.stdout, indent=1)
    print()  # noqa: T201 (a command)


if __name__ == "__main__":
    main()

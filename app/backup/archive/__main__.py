"""`python -m app.backup.archive verify|secret-key|secrets-keys FILE`: read a backup without a box."""

import argparse
import sys
from pathlib import Path

from app.backup.archive.reading import SECRET_KEY, SECRETS_KEYS, Unusable, archive_open


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m app.backup.archive")
    parser.add_argument("what", choices=["verify", "secret-key", "secrets-keys"])
    parser.add_argument("file", type=Path)
    asked = parser.parse_args()
    try:
        archive = archive_open(asked.file)
    except Unusable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if asked.what == "secret-key":
        sys.stdout.write(archive.read(SECRET_KEY).decode() + "\n")
    elif asked.what == "secrets-keys":
        sys.stdout.write((archive.read(SECRETS_KEYS).decode() if archive.holds(SECRETS_KEYS) else "") + "\n")
    else:
        rows = sum(archive.manifest["tables"].values())
        said = f"of Refdesk {archive.manifest['version']}, {archive.manifest['made']}: {rows} rows"
        sys.stdout.write(f"{asked.file} is whole: a backup {said}, {archive.manifest['files']['objects']} files.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

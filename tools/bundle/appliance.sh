#!/bin/sh
# Read by scripts/bundle: `pack` puts images, their settings, models and the list of packages into $inside.

has() { docker image inspect "$1" >/dev/null 2>&1; }

pack() {
    find_docker
    images=$(docker compose config --images | sort -u)
    case $images in *@sha256:*) stop "An image that is named by its digest cannot be loaded by it again. Name it by a tag." ;; esac
    ours=$(docker compose config --images init)
    for image in $images; do
        has "$image" && continue
        say "Fetching or building the images that are missing …"
        docker compose pull --policy missing --ignore-buildable && docker compose build
        break
    done
    for image in $images; do has "$image" || stop "The image $image is not here."; done
    ! image_is_old "$ours" ||
        say "The image $ours is older than the code: docker compose build makes it anew, unless it is the same."
    # shellcheck disable=SC2086  # words
    size=$(docker image inspect --format '{{.Size}}' $images | awk '{all += $1} END {printf "%d", all / 1048576}')
    room $((size * 2 + 200))
    # shellcheck disable=SC2086
    say "Saving $(echo $images | wc -w) images, up to $size MB …" && docker save --output "$inside/images.tar" $images
    for image in $images; do docker image inspect --format "$image {{.Id}}" "$image"; done >"$inside/images.txt"
    write_settings
    [ -z "$models" ] || pack_models
    say "Listing what is inside …"
    sed 's/^/--container /' "$inside/images.txt" >"$work/containers"
    # shellcheck disable=SC2046
    docker run --rm --interactive --network none "$ours" python -m app.appliance.sbom --npm - $(cat "$work/containers") \
        <frontend/package-lock.json >"$inside/sbom.cdx.json" ||
        stop "The image $ours does not know how to list what is in it. Build it anew: docker compose build init"
}

# What .env and the environment say of images and models goes along; addresses and secrets stay.
write_settings() {
    {
        echo '# Written by scripts/bundle. Nothing is fetched, and no part has a route out; docs/air-gap.md'
        echo 'APP_PULL=never'
        echo 'OUT_INTERNAL=true'
        docker compose config --environment >"$work/environment"
        for setting in COMPOSE_PROFILES GPU OLLAMA_MODEL OLLAMA_CONTEXT VLLM_MODEL VLLM_OPTIONS \
            $(sed -n 's/^ *image: \${\([A-Z0-9_]*\):-.*/\1/p' docker-compose.yml | sort -u); do
            grep "^$setting=." "$work/environment" || true
        done
        [ -z "$models" ] || echo 'VLLM_OFFLINE=1'
    } >"$inside/settings.env"
}

pack_models() {
    for service in $(docker compose config --services | grep -xE 'ollama|vllm'); do
        # Not the keys and tokens that lie beside the models.
        case $service in ollama) at=/root/.ollama what=models ;; vllm) at=/root/.cache what=huggingface ;; esac
        box="docker compose run --rm --no-deps --no-TTY --entrypoint"
        size=$(GPU=none $box du "$service" -sm "$at/$what" 2>"$work/said" | cut -f1)
        [ -n "$size" ] || { cat "$work/said" >&2 && stop "No model is in $service yet; scripts/up fetches it."; }
        room $((size * 2 + 100))
        say "Copying the models of $service, $size MB …"
        GPU=none $box tar "$service" -C "$at" --exclude='*token*' -cf - "$what" >"$inside/models-$service.tar"
    done
    ls "$inside"/models-*.tar >/dev/null 2>&1 || stop "--models: neither ollama nor vllm is in COMPOSE_PROFILES."
}

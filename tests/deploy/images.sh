#!/bin/sh
# Build the image from the unmodified Dockerfile, and stand-ins for the images that a registry would give.
#
# There may be neither a Docker engine nor a registry where the tests run: buildah builds, and a Debian with its own
# Python takes the place of the image that the Dockerfile pins where that one is not to be had.
set -eu
cd "$(dirname "$0")/../.."
python=docker.io/library/python:3.13-slim
pinned=$(sed -n 's/^ARG PYTHON_IMAGE=//p' Dockerfile)
certificates=/etc/ssl/certs/ca-certificates.crt
started=$(date +%s)

say() {
    echo "[$(($(date +%s) - started)) s] $*"
}

make_python() {
    root=$(mktemp -d)
    trap 'rm -rf "$root"' EXIT
    debootstrap --variant=minbase --include=ca-certificates,netbase,tzdata,python3.13-minimal,python3.13-venv \
        trixie "$root" > "$root.log" 2>&1 || { tail -20 "$root.log" >&2; exit 1; }
    chroot "$root" python3.13 -m venv /usr/local # where the official image has python and pip
    rm -rf "$root"/var/cache/apt/archives/*.deb
    find "$root"/usr/lib/python3* -name '*.pyc' -delete # nor has the official image any
    tar --create --directory="$root" . | podman import --quiet - "$python" > /dev/null
    rm -rf "$root" "$root.log"
    trap - EXIT
}

build() {
    # pip's settings and the certificates of this machine, should it have some of its own
    set -- --volume "$certificates:$certificates:ro" "$@"
    if [ -f /etc/pip.conf ]; then set -- --volume /etc/pip.conf:/etc/pip.conf:ro "$@"; fi
    log=$(mktemp)
    buildah build --isolation chroot --format docker --pull-never "$@" > "$log" 2>&1 || { tail -30 "$log" >&2; exit 1; }
    rm "$log"
}

# whether the image is the real one
is_real() {
    podman image exists "$1" && [ -z "$(podman image inspect --format '{{index .Labels "standin"}}' "$1")" ]
}

if podman image exists "$pinned" || timeout 300 podman pull --quiet "$pinned" > /dev/null 2>&1; then
    podman tag "$pinned" "$python"
    base=$pinned
else
    base=$python
fi
podman image exists "$python" || { say "Making a stand-in for $python"; make_python; }
say "Building stand-ins for PostgreSQL, Valkey and nginx"
build --layers --file tests/deploy/standin.Containerfile --tag localhost/standin:1 tests/deploy
# as compose.yaml and k8s/ name them, unless the real ones are here
for image in $(sed -n 's/^ *image: \(docker\.io[^ ]*\)/\1/p' compose.yaml k8s/overlays/dev/*.yaml | sort -u); do
    is_real "$image" || podman tag localhost/standin:1 "$image"
done
say "Building the image on $base"
build --build-arg PYTHON_IMAGE="$base" --build-arg VERSION=0.0.0-test --tag localhost/todos:test .
podman tag localhost/todos:test docker.io/library/todos:0.1.0 localhost/todos:0.1.0
say "Asking for every package's wheel for arm64, for which only the workflow builds"
none=$(mktemp -d)
.venv/bin/python -m pip install --dry-run --ignore-installed --no-deps --require-hashes --only-binary=:all: \
    --implementation=cp --python-version=3.13 --platform=manylinux_2_28_aarch64 --platform=manylinux_2_17_aarch64 \
    --platform=manylinux2014_aarch64 --target="$none" --disable-pip-version-check --requirement=requirements.txt \
    > "$none.log" 2>&1 || { tail -5 "$none.log" >&2; exit 1; }
rm -rf "$none" "$none.log"
say "The images are there"

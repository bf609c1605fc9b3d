#!/bin/sh
# `make test-deploy`: build the images, then run the tests of them, each group on a loopback of its own, so that the
# containers' ports are nobody else's and nothing outside can be reached.
#
# REQUIRE_CONTAINERS=1 makes it a failure that this machine can run no containers; else it says so and ends well.
set -eu
cd "$(dirname "$0")/../.."
export CONTAINERS_CONF="$PWD/tests/deploy/containers.conf" TEST_DEPLOY=1
python=.venv/bin/python

cannot() {
    echo "No containers can be run here, so the image was not tested: $*" >&2
    [ "${REQUIRE_CONTAINERS:-0}" != 1 ] || exit 1
    exit 0
}

[ "$(id -u)" = 0 ] || cannot "podman needs root."
for tool in buildah podman runc debootstrap catatonit; do
    command -v $tool > /dev/null || cannot "$tool is missing: apt-get install buildah podman runc debootstrap catatonit"
done
unshare --net --mount ip link set lo up || cannot "network namespaces are not allowed."

tests/deploy/images.sh
for group in "test_image.py test_alerts.py test_site.py test_pool.py test_lifecycle.py" test_pods.py test_compose.py; do
    files=$(for file in $group; do echo "tests/deploy/$file"; done)
    # shellcheck disable=SC2016,SC2086 # the inner shell expands $@; a group is several arguments
    unshare --net --mount sh -c 'ip link set lo up && mount --bind tests/deploy/hosts /etc/hosts && exec "$@"' - \
        $python -m pytest -p no:cacheprovider "$@" $files
done

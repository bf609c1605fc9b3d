#!/bin/sh
# Does what the entry points of the official images do, as far as compose.yaml and k8s/ use it.
set -eu
if [ $# -gt 0 ]; then
    exec "$@"
fi
if [ -z "${POSTGRES_USER:-}" ]; then
    exec nginx -g 'daemon off;'
fi
if [ "$(id -u)" = 0 ]; then
    install -d -o 70 -g 70 -m 0700 "$PGDATA"
    exec setpriv --reuid=70 --regid=70 --clear-groups "$0"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb --pgdata="$PGDATA" --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" \
        --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 > /tmp/initdb.log
    echo "CREATE DATABASE \"$POSTGRES_DB\"" | postgres --single -D "$PGDATA" postgres > /tmp/create.log
fi
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp

#!/usr/bin/env bash
# Redis and PostgreSQL on free loopback ports, for the tests of the external stores.
#
#   ci/services.sh start DIRECTORY   starts both, prints the variables that the tests read as `export` lines
#   ci/services.sh stop DIRECTORY    stops both and removes what they wrote
set -euo pipefail

start() {
    mkdir -p "$directory/redis" "$directory/cluster" "$directory/postgres"
    start_redis >&2
    start_redis_cluster >&2
    start_postgres >&2
    echo "export LOGTO_TEST_REDIS_URL=redis://127.0.0.1:$redis_port/"
    echo "export LOGTO_TEST_REDIS_CLUSTER_URL=redis://127.0.0.1:$cluster_port/"
    echo "export LOGTO_TEST_POSTGRES_URL=postgres://postgres@127.0.0.1:$postgres_port/postgres"
}

start_redis() {
    redis_port=$(free_port)
    redis-server --bind 127.0.0.1 --port "$redis_port" --dir "$directory/redis" --save '' \
        --daemonize yes --pidfile "$directory/redis/pid" --logfile "$directory/redis/log"
}

# A cluster of one node that serves all slots.
start_redis_cluster() {
    cluster_port=$(free_port)
    redis-server --bind 127.0.0.1 --port "$cluster_port" --dir "$directory/cluster" --save '' \
        --cluster-enabled yes --cluster-port "$(free_port)" --cluster-announce-ip 127.0.0.1 \
        --daemonize yes --pidfile "$directory/cluster/pid" --logfile "$directory/cluster/log"
    until_true redis-cli -p "$cluster_port" ping
    redis-cli -p "$cluster_port" cluster addslotsrange 0 16383
    until_true cluster_is_ready
}

cluster_is_ready() {
    redis-cli -p "$cluster_port" cluster info | grep --quiet cluster_state:ok
}

# Tries a command for twenty seconds.
until_true() {
    for _ in {1..200}; do
        "$@" >/dev/null 2>&1 && return
        sleep 0.1
    done
    echo "error: $* does not come true" >&2
    return 1
}

start_postgres() {
    postgres_port=$(free_port)
    local data=$directory/postgres/data
    if [ "$(id --user)" -eq 0 ]; then
        chmod 711 "$directory"
        chown postgres "$directory/postgres"
    fi
    as_postgres "$(postgres_bin)/initdb" --pgdata="$data" --username=postgres --auth=trust --no-sync >/dev/null
    as_postgres "$(postgres_bin)/pg_ctl" start --wait --silent --pgdata="$data" \
        --log="$directory/postgres/log" \
        --options="-p $postgres_port -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
}

stop() {
    for redis in redis cluster; do
        if [ -s "$directory/$redis/pid" ]; then
            kill "$(cat "$directory/$redis/pid")" || true
        fi
    done
    if [ -e "$directory/postgres/data/postmaster.pid" ]; then
        as_postgres "$(postgres_bin)/pg_ctl" stop --mode=immediate --silent --pgdata="$directory/postgres/data" || true
    fi
    rm -rf "$directory"
}

# PostgreSQL refuses to run as root.
as_postgres() {
    if [ "$(id --user)" -eq 0 ]; then
        (cd / && runuser --user postgres -- "$@")
    else
        "$@"
    fi
}

# Debian keeps these programs out of the PATH.
postgres_bin() {
    if command -v pg_ctl >/dev/null; then
        dirname "$(command -v pg_ctl)"
    else
        printf '%s\n' /usr/lib/postgresql/*/bin | sort --version-sort | tail --lines=1
    fi
}

free_port() {
    node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => {
        console.log(s.address().port);
        s.close();
    })'
}

directory=${2:?"usage: $0 start|stop DIRECTORY"}
case $1 in
start | stop) "$1" ;;
*) echo "usage: $0 start|stop DIRECTORY" >&2 && exit 2 ;;
esac

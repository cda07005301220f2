#!/usr/bin/env bash
# Redis, PostgreSQL with a standby, and PgBouncer on free loopback ports, for the tests of the external stores.
#
#   ci/services.sh start DIRECTORY   starts them, prints the variables that the tests read as `export` lines
#   ci/services.sh stop DIRECTORY    stops them and removes what they wrote
set -euo pipefail

start() {
    mkdir -p "$directory/redis" "$directory/cluster" "$directory/postgres"
    start_redis >&2
    start_redis_cluster >&2
    start_postgres >&2
    start_standby >&2
    start_pgbouncer >&2
    echo "export LOGTO_TEST_REDIS_URL=redis://127.0.0.1:$redis_port/"
    echo "export LOGTO_TEST_REDIS_CLUSTER_URL=redis://127.0.0.1:$cluster_port/"
    echo "export LOGTO_TEST_POSTGRES_URL=postgres://postgres@127.0.0.1:$postgres_port/postgres"
    echo "export LOGTO_TEST_POSTGRES_STANDBY_URL=postgres://postgres@127.0.0.1:$standby_port/postgres"
    echo "export LOGTO_TEST_PGBOUNCER_URL=postgres://postgres@127.0.0.1:$pgbouncer_port/postgres"
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
    # Everybody is let in, but two users that tests create.
    sed --in-place '1i host all password_only 127.0.0.1/32 scram-sha-256\nhostnossl all tls_only 127.0.0.1/32 reject' \
        "$data/pg_hba.conf"
    run_postgres "$data" "$postgres_port"
}

# A replica of the above, which takes no writes.
start_standby() {
    standby_port=$(free_port)
    local data=$directory/postgres/standby
    as_postgres "$(postgres_bin)/pg_basebackup" --host=127.0.0.1 --port="$postgres_port" --username=postgres \
        --pgdata="$data" --write-recovery-conf --checkpoint=fast --no-sync
    run_postgres "$data" "$standby_port"
}

run_postgres() {
    local data=$1 port=$2
    as_postgres "$(postgres_bin)/pg_ctl" start --wait --silent --pgdata="$data" --log="$data.log" \
        --options="-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c max_connections=300"
}

# Lends a server connection for one transaction; there are fewer of them than clients.
start_pgbouncer() {
    pgbouncer_port=$(free_port)
    local configuration=$directory/postgres/pgbouncer.ini
    echo '"postgres" ""' >"$directory/postgres/userlist.txt"
    cat >"$configuration" <<-END
	[databases]
	* = host=127.0.0.1 port=$postgres_port
	[pgbouncer]
	listen_addr = 127.0.0.1
	listen_port = $pgbouncer_port
	unix_socket_dir =
	auth_type = trust
	auth_file = $directory/postgres/userlist.txt
	pool_mode = transaction
	default_pool_size = 3
	max_client_conn = 300
	logfile = $directory/postgres/pgbouncer.log
	pidfile = $directory/postgres/pgbouncer.pid
	END
    as_postgres "$(command -v pgbouncer || echo /usr/sbin/pgbouncer)" --daemon --quiet "$configuration"
    until_true answers "$pgbouncer_port"
}

answers() {
    (: <"/dev/tcp/127.0.0.1/$1")
}

stop() {
    for redis in redis cluster; do
        if [ -s "$directory/$redis/pid" ]; then
            kill "$(cat "$directory/$redis/pid")" || true
        fi
    done
    if [ -s "$directory/postgres/pgbouncer.pid" ]; then
        kill "$(cat "$directory/postgres/pgbouncer.pid")" || true
    fi
    for data in standby data; do
        if [ -e "$directory/postgres/$data/postmaster.pid" ]; then
            as_postgres "$(postgres_bin)/pg_ctl" stop --mode=immediate --silent --pgdata="$directory/postgres/$data" || true
        fi
    done
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
        dirname "$(readlink --canonicalize "$(command -v pg_ctl)")"
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

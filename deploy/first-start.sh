#!/bin/sh
# Makes every secret of the stack in the volumes below /secrets at its first start; later starts change nothing.
set -eu
umask 077

make_password() {
    [ -s "$1" ] && return
    python -c 'import secrets; print(secrets.token_urlsafe(32), end="")' > "$1.new"
    mv "$1.new" "$1"
}

make_password /secrets/postgres/password
make_password /secrets/grafana/password
database="postgresql://pumpcast:$(cat /secrets/postgres/password)@postgres:5432/pumpcast"
# Somebody may have given another database.
[ ! -s /secrets/owner/db_dsn ] || database=$(cat /secrets/owner/db_dsn)
pumpcast keys install /secrets --database "$database"
# PostgreSQL, Prometheus and Grafana run as users of their own and are let in by the group.
chmod 0640 /secrets/postgres/password /secrets/grafana/password /secrets/prometheus/token

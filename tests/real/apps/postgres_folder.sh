#!/bin/sh
# postgres_folder.sh TMP: a database that takes three connections
set -e
bin=$(echo /usr/lib/postgresql/*/bin)
mkdir -p "$1/base"
chown postgres "$1/base"
setpriv --reuid postgres --regid postgres --clear-groups "$bin/initdb" -A trust -N "$1/base"
echo 'host all all 0.0.0.0/0 reject' >"$1/base/pg_hba.conf"

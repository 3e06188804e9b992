#!/bin/sh
# postgres.sh TMP PORT
exec "$(echo /usr/lib/postgresql/*/bin/postgres)" -D "$1/base" -p "$2" -h 0.0.0.0 -k "$1"

#!/bin/sh
# postgres.sh: make a cluster and the database at the first start, then serve
# them on the socket alone; there is no port.
set -eu
data=/var/lib/postgresql/data
bin=$(find /usr/lib/postgresql -path '*/bin' -type d | sort -V | tail -n 1)
if [ ! -s "$data/PG_VERSION" ]; then
	: "${POSTGRES_PASSWORD:?set POSTGRES_PASSWORD}"
	umask 077
	password=$(mktemp)
	printf '%s\n' "$POSTGRES_PASSWORD" >"$password"
	"$bin/initdb" -D "$data" --username=ringmaster --pwfile="$password" --auth=scram-sha-256 \
		--encoding=UTF8 --locale=C.UTF-8 --data-checksums
	rm "$password"
	echo 'CREATE DATABASE ringmaster' | "$bin/postgres" --single -D "$data" postgres >/dev/null
fi
exec "$bin/postgres" -D "$data" -c listen_addresses= -c unix_socket_directories=/run/postgresql "$@"

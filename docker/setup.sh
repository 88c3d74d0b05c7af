#!/bin/sh
# setup.sh: write docker/.env with new passwords, unless it is there. No image
# and no file of this repository holds a password.
set -eu
cd "$(dirname "$0")"
if [ -e .env ]; then
	echo "docker/.env is there and stays as it is."
	exit 0
fi
new() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }
umask 077
cat >.env.part <<EOF
# Settings and passwords of this center, made by docker/setup.sh. Keep it secret.
COMPOSE_PROJECT_NAME=ringmaster
POSTGRES_PASSWORD=$(new)
ARI_PASSWORD=$(new)
# For a FreeSWITCH instead (compose.freeswitch.yaml): the password of its
# event_socket.conf.xml.
ESL_PASSWORD=$(new)
# The desk phones and their passwords. A phone more is a word more here, and a
# phone more in center.yaml.
PHONES=1001=$(new) 1002=$(new) 1003=$(new)
# The address your carrier sends calls from; empty: only the phones can call.
TRUNK=
# Where phones and carrier reach Asterisk, and the ports of sound.
SIP_BIND=0.0.0.0:5060
RTP_PORTS=10000 10999
ARI_PORT=8088
# Where console and API listen. Beyond 127.0.0.1 put TLS before it.
LISTEN=127.0.0.1:8080
EOF
mv .env.part .env
echo "Wrote docker/.env: the passwords of the phones are in its line PHONES."

#!/bin/sh
# asterisk.sh: fill the shipped files, mounted at /dialplans, with this center's
# values and start Asterisk.
#
#   ARI_PASSWORD   what Ringmaster logs in with
#   PHONES         the desk phones: "1001=password 1002=password"
#   TRUNK          the address the carrier sends from, or none
#   SIP_BIND       where phones and carrier reach it, 0.0.0.0:5060
#   ARI_PORT       of ARI on 127.0.0.1, 8088
#   RTP_PORTS      "10000 10999"
set -eu
: "${ARI_PASSWORD:?set ARI_PASSWORD}" "${PHONES:?set PHONES}"
export ARI_PORT="${ARI_PORT:-8088}" SIP_BIND="${SIP_BIND:-0.0.0.0:5060}" TRUNK="${TRUNK:-}" RTP_PORTS="${RTP_PORTS:-10000 10999}"
from=/dialplans to=/etc/asterisk
umask 077

cp "$from"/*.conf "$to"

# The block of one phone is repeated for each, and the trunk's left out when
# there is none.
awk '
	/^; ---- one block per desk phone/ { part = "phone" }
	/^; ---- one block per trunk/ {
		part = "trunk"
		n = split(ENVIRON["PHONES"], phones, /[ \n]+/)
		for (i = 1; i <= n; i++) {
			eq = index(phones[i], "=")
			if (eq < 2) continue
			text = block
			gsub(/1001/, substr(phones[i], 1, eq - 1), text)
			k = index(text, "\npassword=\n")
			print substr(text, 1, k) "password=" substr(phones[i], eq + 1) substr(text, k + 10)
		}
	}
	part == "phone" { block = block $0 "\n"; next }
	part == "trunk" && ENVIRON["TRUNK"] == "" { next }
	{ sub(/192\.0\.2\.10/, ENVIRON["TRUNK"]) }
	$0 == "bind=0.0.0.0:5060" { $0 = "bind=" ENVIRON["SIP_BIND"] }
	{ print }
' "$from/pjsip.conf" >"$to/pjsip.conf"
awk '$0 == "password=" { $0 = $0 ENVIRON["ARI_PASSWORD"] } { print }' "$from/ari.conf" >"$to/ari.conf"
awk '$0 == "bindport=8088" { $0 = "bindport=" ENVIRON["ARI_PORT"] } { print }' "$from/http.conf" >"$to/http.conf"
for phone in $PHONES; do echo "member => PJSIP/${phone%%=*}"; done >>"$to/queues.conf"
# shellcheck disable=SC2086 # two words
printf '[general]\nrtpstart=%s\nrtpend=%s\nicesupport=no\n' $RTP_PORTS >"$to/rtp.conf"
echo '/dev/stdout => notice,warning,error' >>"$to/logger.conf"

exec asterisk -f "$@"

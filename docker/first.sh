#!/bin/sh
# first.sh: bring a new center its first configuration, once; afterwards the
# console and "ringmaster apply" change it.
set -eu
done=$RINGMASTER_DATA/.configured
if [ -e "$done" ]; then
	echo "The center was configured before and is left as it is."
	exit 0
fi
RINGMASTER_KEY=$(ringmaster keys create "first configuration" --scopes config --database "$RINGMASTER_DATABASE")
export RINGMASTER_KEY
ringmaster apply --yes -f "$1"
touch "$done"

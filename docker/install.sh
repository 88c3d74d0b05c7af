#!/bin/sh
# install.sh: bring a Debian 12 machine to the point where the demo or the tests
# run. It installs only what is missing, may be run again at any time, and needs
# no network when everything is there.
#
#   docker/install.sh demo       what "make demo" needs
#   docker/install.sh test       that, and what "make test" needs besides
#   docker/install.sh asterisk   only an Asterisk for the lab
#
# Run it as root, or as a user who may use sudo.
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
lab=$here/.lab
log=$lab/install.log
asterisk_suite=forky
go_wanted=1.26
node_wanted=20.19

say()  { printf '%s\n' "$*"; }
step() { printf '%-46s ' "$1"; }
die()  { printf '\ninstall.sh: %s\n' "$*" >&2; exit 1; }

# The prefix of every command that needs root.
sudo=sudo
[ "$(id -u)" != 0 ] || sudo=

# may_be_root asks for the password where one is needed, because the commands
# that follow run where none can be asked for.
may_be_root() {
	[ -z "$sudo" ] || { command -v sudo >/dev/null && sudo true; } ||
		die "something is missing and needs root to install: run this script as root or with sudo"
}

# quietly runs a command with its output in the log and shows on a terminal how
# long it has been at it. When it fails, the end of the log says why.
quietly() {
	begun=$(date +%s)
	"$@" >>"$log" 2>&1 </dev/null &
	job=$!
	# The shell lets a job in the background outlive Ctrl-C.
	trap '$sudo kill "$job" 2>/dev/null; wait "$job" || :; die "interrupted, run it again to go on"' INT TERM
	while kill -0 "$job" 2>/dev/null; do
		if [ -t 1 ]; then
			seconds=" $(($(date +%s) - begun))s"
			printf '%s' "$seconds"
			printf '%s' "$seconds" | tr -c '' '\b'
		fi
		sleep 0.2
	done
	if ! wait "$job"; then
		tail -n 15 "$log" >&2
		die "failed: $* (whole log: $log)"
	fi
	trap - INT TERM
}

updated=
# packages installs Debian packages, with the package lists fetched once.
packages() {
	if [ -z "$updated" ]; then
		may_be_root
		quietly $sudo apt-get -q update
		updated=yes
	fi
	quietly $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
		-o Dpkg::Options::=--force-confold install "$@"
}

# need PROGRAM PACKAGE WHY: installs PACKAGE unless PROGRAM is there.
need() {
	step "$2 ($3)"
	if command -v "$1" >/dev/null; then
		say "present"
		return
	fi
	packages "$2"
	command -v "$1" >/dev/null || die "package $2 brought no program $1"
	say "installed"
}

# database_server: only the programs, because Ringmaster runs a cluster of its
# own. Debian would make and start one on port 5432 as well; its switch for that
# is off during the installation and then as it was.
database_server() {
	step "postgresql (database server)"
	if [ -n "$(find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null)" ] || command -v initdb >/dev/null; then
		say "present"
		return
	fi
	conf=/etc/postgresql-common/createcluster.conf
	packages postgresql-common
	$sudo cp -p "$conf" "$conf.ringmaster"
	trap '$sudo mv "$conf.ringmaster" "$conf"' EXIT
	printf 'create_main_cluster = false\n' | $sudo tee -a "$conf" >/dev/null
	packages postgresql
	$sudo mv "$conf.ringmaster" "$conf"
	trap - EXIT
	say "installed (no cluster made, port 5432 untouched)"
}

# at_least WANTED HAVE compares version numbers.
at_least() {
	[ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

go_present() {
	step "Go $go_wanted or newer"
	have=$(go env GOVERSION 2>/dev/null | sed 's/^go//') || have=
	if [ -n "$have" ] && at_least "$go_wanted" "$have"; then
		say "present ($have)"
		return
	fi
	say "missing"
	if [ -x /usr/local/go/bin/go ]; then
		die "Go is in /usr/local/go but not in your PATH. Run:
  export PATH=\$PATH:/usr/local/go/bin"
	fi
	die "Go $go_wanted or newer is needed${have:+, this machine has $have}. Debian 12 has none that new. Get it:
  1. download go$go_wanted.*.linux-$(dpkg --print-architecture).tar.gz from https://go.dev/dl/
  2. rm -rf /usr/local/go && tar -C /usr/local -xzf go$go_wanted.*.tar.gz
  3. export PATH=\$PATH:/usr/local/go/bin"
}

node_present() {
	step "Node.js $node_wanted or newer (builds the console)"
	have=$(node --version 2>/dev/null | sed 's/^v//') || have=
	if [ -n "$have" ] && at_least "$node_wanted" "$have" && command -v npm >/dev/null; then
		say "present ($have)"
		return
	fi
	say "missing"
	die "Node.js $node_wanted or newer with npm is needed${have:+, this machine has $have}. Debian 12 has none that new. Get it:
  1. download node-v22.*-linux-x64.tar.xz (arm64: linux-arm64) from https://nodejs.org/en/download
  2. tar -C /usr/local --strip-components=1 -xJf node-v22.*.tar.xz"
}

# good_asterisk VERSION-LINE: the same list as goodVersion in docker/lab/find.go.
good_asterisk() {
	v=$(printf '%s' "$1" | sed -n 's/^Asterisk \(certified[/-]\)\{0,1\}\([0-9.]*[0-9]\).*/\2/p')
	case $v in
	20.*) at_least 20.21 "$v" ;;
	22.*) at_least 22.10.1 "$v" ;;
	23.*) at_least 23.5 "$v" ;;
	2[4-9].* | [3-9][0-9].*) true ;;
	*) false ;;
	esac
}

# lab_asterisk: the machine's own if it is new enough, else a small Debian of its own
# in .lab/asterisk. Debian 12 has no Asterisk; the one of $asterisk_suite comes
# with newer system libraries, so it stays in a folder and off the machine.
lab_asterisk() {
	step "Asterisk 20.21, 22.10.1 or newer"
	have=$(env PATH="$PATH:/usr/sbin" asterisk -V 2>/dev/null) || have=
	if good_asterisk "$have"; then
		say "present ($have)"
		return
	fi
	if [ -x "$lab/asterisk/usr/sbin/asterisk" ]; then
		say "present (.lab/asterisk)"
		return
	fi
	may_be_root
	exec 9>"$lab/asterisk.lock"
	flock -n 9 || { printf 'waiting for another install.sh ... '; flock 9; }
	if [ -x "$lab/asterisk/usr/sbin/asterisk" ]; then
		exec 9>&-
		say "installed by the other"
		return
	fi
	# The keyring of an early Debian 12 does not know the newer suites' keys.
	command -v mmdebstrap >/dev/null || packages mmdebstrap debian-archive-keyring
	tar=$lab/asterisk.tar
	if [ ! -e "$tar" ]; then
		$sudo rm -rf "$tar.part" "$tar.part.tar"
		quietly $sudo mmdebstrap --variant=apt --aptopt='Acquire::Check-Valid-Until "false"' \
			--include=asterisk,asterisk-core-sounds-en "$asterisk_suite" "$tar.part.tar"
		$sudo mv "$tar.part.tar" "$tar"
	fi
	$sudo rm -rf "$lab/asterisk.part"
	$sudo install -d -o "$(id -u)" -g "$(id -g)" "$lab/asterisk.part"
	# Unpacked by and for the one who runs the lab, who need not be root. Device
	# files cannot be made in every container, and the lab brings its own.
	quietly tar -C "$lab/asterisk.part" --exclude='./dev/*' -xpf "$tar"
	good_asterisk "$($sudo chroot "$lab/asterisk.part" /usr/sbin/asterisk -V)" ||
		die "Debian $asterisk_suite brought an Asterisk that is too old: remove $tar and try again later"
	$sudo rm -rf "$lab/asterisk"
	$sudo mv "$lab/asterisk.part" "$lab/asterisk"
	$sudo rm -f "$tar"
	exec 9>&-
	say "installed in .lab/asterisk"
}

demo() {
	go_present
	node_present
	database_server
	need espeak-ng espeak-ng "speaks the prompts"
	need sox sox "converts sound"
	lab_asterisk
}

mkdir -p "$lab"
# After a run as root, a user's run that finds everything present needs no root.
{ date >>"$log"; } 2>/dev/null || log=$(mktemp)
case ${1:-} in
demo)
	demo
	;;
test)
	demo
	need sipp sip-tester "SIP load for the tests"
	need chromium chromium "browser for the tests"
	;;
asterisk)
	lab_asterisk
	;;
*)
	sed -n '2,10s/^# \{0,1\}//p' "$0"
	exit 2
	;;
esac

# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
#
# Shared by the scripts of tests/env: messages, steps, and the private mount namespace everything
# runs in. Needs bash, coreutils, findutils, util-linux and mmdebstrap; every other program comes
# from the toolchain root.

set -euo pipefail

ENV_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CLONE=$(cd "$ENV_DIR/../.." && pwd)
CACHE=${IGB_RS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/igb-rs}
export PATH=$PATH:/usr/sbin:/sbin
LOG=/dev/null
TICKER=

say() { printf '%s\n' "$*" >&2; }

notice() { say "notice: $*"; }

die() {
	printf 'error: %s\n' "$*" >&2
	exit 1
}

# ---- namespace -------------------------------------------------------------------------------

NAMESPACE=(unshare --mount --propagation private)
((EUID == 0)) || NAMESPACE+=(--map-root-user --map-auto)
NAMESPACE+=(--)

# Runs a command with root's rights over the cache, in a mount namespace of its own. As an
# ordinary user, a user namespace provides them.
as_root() { "${NAMESPACE[@]}" "$@"; }

# Says early, and in words, why an ordinary user cannot go on.
require_namespaces() {
	((EUID == 0)) && return
	command -v newuidmap >/dev/null ||
		die "not root, and newuidmap is missing: install the package 'uidmap', or run as root"
	grep -q "^$(id -un):" /etc/subuid 2>/dev/null ||
		die "not root, and $(id -un) has no entry in /etc/subuid:" \
			"run 'usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $(id -un)' as root"
	as_root true 2>/dev/null ||
		die "not root, and this host does not allow user namespaces" \
			"(see kernel.unprivileged_userns_clone, user.max_user_namespaces," \
			"kernel.apparmor_restrict_unprivileged_userns): allow them, or run as root"
}

# Installs a missing host program when that is possible without asking.
require_package() {
	local program=$1 package=$2
	command -v "$program" >/dev/null && return
	if ((EUID == 0)) && command -v apt-get >/dev/null; then
		say "installing the package '$package' on this machine"
		{ apt-get update && apt-get install --yes --no-install-recommends "$package"; } >&2 ||
			die "installing '$package' failed"
	else
		die "'$program' is missing: install the package '$package'"
	fi
}

# ---- steps with visible progress -------------------------------------------------------------

# Shows how long the running step has taken and the last line it logged. Ends with its nap, which
# would keep locks and the terminal for some seconds more.
ticker() {
	local label=$1 begin=$SECONDS pause=15 line nap=
	trap 'kill "$nap" 2>/dev/null; exit 0' TERM INT HUP
	trap - EXIT
	[[ -t 2 ]] && pause=1
	while kill -0 "$$" 2>/dev/null; do
		sleep "$pause" &
		nap=$!
		wait "$nap"
		line=$(tail -c 400 "$LOG" 2>/dev/null | tr -d '\r' | tail -n 1 | cut -c 1-70) || :
		if [[ -t 2 ]]; then
			printf '\r\033[K    %s  %d s  %s' "$label" $((SECONDS - begin)) "$line" >&2
		else
			printf '    %s  %d s  %s\n' "$label" $((SECONDS - begin)) "$line" >&2
		fi
	done
}

stop_ticker() {
	[[ -n $TICKER ]] || return 0
	kill "$TICKER" 2>/dev/null || :
	wait "$TICKER" 2>/dev/null || :
	TICKER=
	[[ ! -t 2 ]] || printf '\r\033[K' >&2
}

# step LABEL COMMAND...: runs it with its output in the log of the product being built.
step() {
	local label=$1 begin=$SECONDS status
	shift
	say "    $label ..."
	ticker "$label" &
	TICKER=$!
	set +e
	(
		set -e
		# Nothing that stays behind keeps others from making the product.
		[[ -z ${MAKING:-} ]] || exec {MAKING}>&-
		"$@"
	) >>"$LOG" 2>&1 </dev/null
	status=$?
	set -e
	stop_ticker
	if ((status)); then
		tail -n 30 "$LOG" >&2
		die "$label: failed with status $status, the whole log is in $LOG"
	fi
	say "    $label: done in $((SECONDS - begin)) s"
}

# ---- the end ---------------------------------------------------------------------------------

# What is to be done at the end, whatever that is: functions, called with the status.
AT_END=()

finish() {
	local status=$? function
	trap '' INT TERM HUP
	trap - EXIT
	stop_ticker
	for function in "${AT_END[@]}"; do "$function" "$status"; done
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Products that are made beside the command they are for, which waits for them when it needs them
# (await). A directory is shared with the command, in the root as /run/beside:
#
#   NAME.product    the product's directory in the cache, once it is known to be on its way
#   NAME.words      what is said while it is made
#   NAME.status     what became of it: 0 if it is there
#   NAME.unwanted   nobody will need it: it is not begun
#   NAME.alive      locked while somebody makes it, and afterwards keeps it from being removed
#   NAME.turn       locked until it is made, or could not be

BESIDE=
MAKERS=()

# start_beside NAME...: one after the other, in this order. Each maker is a group of processes, so that
# it can be ended as a whole, and ends by itself when this process dies. They have no lower priority:
# tests do nothing but wait for them in the end, and would have little else to run beside then.
start_beside() {
	local name before='' alive turn
	BESIDE=$(mktemp -d)
	AT_END=(end_beside "${AT_END[@]}")
	for name; do
		basename "$(path_of "$name")" >"$BESIDE/$name.product"
		exec {alive}>"$BESIDE/$name.alive" {turn}>"$BESIDE/$name.turn"
		flock "$alive"
		flock "$turn"
		set -m
		setpriv --pdeathsig TERM -- "$ENV_DIR/env" beside "$BESIDE" "$name" "$turn" "$before" \
			</dev/null >"$BESIDE/$name.words" 2>&1 &
		MAKERS+=($!)
		set +m
		exec {alive}>&- {turn}>&-
		before=$name
	done
}

# Ends what is still being made. A maker removes what it has made a part of.
end_beside() {
	local maker tries=0
	for maker in "${MAKERS[@]}"; do kill -TERM -- "-$maker" 2>/dev/null || :; done
	for maker in "${MAKERS[@]}"; do
		while kill -0 -- "-$maker" 2>/dev/null && ((++tries < 600)); do sleep 0.1; done
		kill -KILL -- "-$maker" 2>/dev/null || :
		wait "$maker" 2>/dev/null || :
	done
	[[ -z $BESIDE ]] || rm -rf "$BESIDE"
	MAKERS=()
}

# One maker: `env beside DIRECTORY NAME TURN BEFORE`. The process that hears of its parent's death
# only waits, so that it can act at once.
beside() {
	local turn=$3 status=0
	trap - EXIT
	trap 'trap "" TERM; kill -TERM 0; wait; exit 143' TERM
	make_beside "$@" &
	exec {turn}>&-
	wait "$!" || status=$?
	trap "" TERM
	kill -TERM 0
	exit "$status"
}

make_beside() {
	local turn=$3
	BESIDE_STATUS=$1/$2.status
	AT_END=(tell_status "${AT_END[@]}")
	trap finish EXIT
	trap 'trap "" TERM; exit 143' TERM
	[[ -z $4 ]] || flock "$1/$4.turn" true
	if [[ -e $1/$2.unwanted ]]; then
		tell_status unwanted
	else
		provide "$2"
		tell_status 0
	fi
	exec {turn}>&-
	sleep infinity &
	wait
}

tell_status() {
	[[ ! -d ${BESIDE_STATUS%/*} || -e $BESIDE_STATUS ]] || echo "$1" >"$BESIDE_STATUS"
}

# Runs the command as a child: somebody has to end what is made beside it. It gets the signals that
# a terminal sends by itself, the others are passed on to it.
run_beside() {
	local status=0 command
	env --default-signal=INT,QUIT -- "$@" <&0 &
	command=$!
	trap : INT
	trap 'kill -TERM "$command" 2>/dev/null || :' TERM HUP
	while :; do
		status=0
		wait "$command" || status=$?
		kill -0 "$command" 2>/dev/null || break
	done
	exit "$status"
}

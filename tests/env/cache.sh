# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
#
# The cache of products.
#
#   NAME-KEY/        a product, which is finished by the list of files in it (manifest.sh)
#   partial/         products being made
#   log/             what was said when they were made
#   lock/            NAME-KEY.use    shared by those who use the product, alone for who removes it
#                    NAME-KEY.make   of who makes it
#                    cache           shared by all, alone for who empties the cache
#
# A product's key is a hash of what it is made from. Locks are held by open files, which a command
# that is started inherits: they are gone when the last process that uses the product is.

# Of the product being made.
PARTIAL=
MAKING=
# Why the product looked at last cannot be used; empty if it does not exist.
DAMAGE=

# The key of a product: a hash over the contents of its input files, less their comments, and
# over further words.
key() {
	local input
	for input; do
		if [[ -f $input ]]; then sed '/^[[:space:]]*\(#\|$\)/d' "$input"; else printf '%s\n' "$input"; fi
	done | sha256sum | cut -c 1-12
}

# ---- locks -----------------------------------------------------------------------------------

# take VARIABLE NAME --shared|--exclusive WORDS LOG: takes a lock and leaves its descriptor in
# VARIABLE. If it has to wait for it, says WORDS, and now and then the last line of LOG.
take() {
	local file=$CACHE/lock/$2 descriptor
	while :; do
		mkdir -p "$CACHE/lock"
		exec {descriptor}>>"$file"
		flock --nonblock "$3" "$descriptor" || wait_for "$descriptor" "$3" "$4" "$5"
		# Whoever empties the cache removes its locks as well.
		if [[ /proc/self/fd/$descriptor -ef $file ]]; then break; fi
		exec {descriptor}>&-
	done
	printf -v "$1" %s "$descriptor"
}

wait_for() {
	local LOG=$4
	say "==> $3"
	ticker "waiting" &
	TICKER=$!
	flock "$2" "$1"
	stop_ticker
}

release() { eval "exec $1>&-"; }

# Some of the processes that have a lock, as far as it can be told. The kernel only knows the one
# that took it, which may have ended.
holders() {
	local pid found=()
	while read -r pid; do
		[[ $pid != "$$" && $pid != "$BASHPID" && -r /proc/$pid/comm ]] || continue
		found+=("$pid $(<"/proc/$pid/comm")")
	done < <(find /proc/[0-9]*/fd -lname "$(realpath "$CACHE/lock/$1")" 2>/dev/null | cut -d / -f 3 | sort -un)
	((${#found[@]})) || found=(unknown)
	printf '%s\n' "${found[@]}" | sed -n 1,4p | paste -sd , | sed 's/^/by process /; s/,/, /g'
}

# Keeps the cache from being emptied until this process and what it starts have ended.
join_cache() {
	[[ -n ${JOINED:-} ]] || take JOINED cache --shared "the cache is being emptied, waiting" /dev/null
}

# ---- products --------------------------------------------------------------------------------

# Is it there, as it was made? Else $DAMAGE says why not.
is_intact() {
	DAMAGE=
	[[ -d $1 ]] && DAMAGE=$(as_root "$ENV_DIR/manifest.sh" check "$1" 2>&1)
}

# use PATH: takes a product into use if it is there and intact.
use() {
	local using
	join_cache
	take using "${1##*/}.use" --shared "${1##*/}: being removed by another process, waiting" /dev/null
	is_intact "$1" && return
	release "$using"
	return 1
}

# product NAME KEY TITLE BUILDER: makes sure that $CACHE/NAME-KEY exists and is intact, and keeps it
# from being removed for as long as this process or one it starts lives. BUILDER is called with the
# directory to fill, which becomes the product by one rename; whoever comes at the same time waits
# for it instead of making it again.
product() {
	local name=$1-$2 title=$3 builder=$4 log=$CACHE/log/$1.log
	use "$CACHE/$name" && return
	take MAKING "$name.make" --exclusive "$title: being made by another process, waiting (log: $log)" "$log"
	if ! use "$CACHE/$name"; then
		remove_damaged "$name" "$title"
		make_product "$name" "$title" "$builder" "$log"
		use "$CACHE/$name" || die "$title: not as it was made a moment ago ($DAMAGE)"
	fi
	release "$MAKING"
	MAKING=
}

remove_damaged() {
	local using path=$CACHE/$1
	[[ -e $path ]] || return 0
	say "==> $2: damaged ($DAMAGE), so it is made again"
	take using "$1.use" --exclusive \
		"$2: waiting for the end of its use ($(holders "$1.use"))" /dev/null
	as_root rm -rf --one-file-system "$path"
	release "$using"
}

make_product() {
	local name=$1 title=$2 builder=$3
	LOG=$4
	mkdir -p "${LOG%/*}" "$CACHE/partial"
	say "==> $title (log: $LOG)"
	: >"$LOG"
	PARTIAL=$CACHE/partial/$name
	as_root rm -rf --one-file-system "$PARTIAL"
	mkdir "$PARTIAL"
	"$builder" "$PARTIAL"
	as_root "$ENV_DIR/manifest.sh" write "$PARTIAL" || die "$title: cannot list the files in $PARTIAL"
	mv -T "$PARTIAL" "$CACHE/$name"
	PARTIAL=
}

remove_partial() {
	[[ -z $PARTIAL ]] || as_root rm -rf --one-file-system "$PARTIAL"
	PARTIAL=
}
AT_END+=(remove_partial)

# ---- emptying it -----------------------------------------------------------------------------

clean() {
	local lock
	[[ -d $CACHE ]] || return 0
	mkdir -p "$CACHE/lock"
	exec {lock}>>"$CACHE/lock/cache"
	flock --nonblock --exclusive "$lock" ||
		die "$CACHE is in use ($(holders cache)): try again when they have ended"
	say "removing what is in $CACHE"
	as_root find "$CACHE" -mindepth 1 -maxdepth 1 \
		\( -name 'root-*' -o -name 'python-*' -o -name 'crates-*' -o -name 'kernel-*' -o -name '*-kernel-*' \
		-o -name 'guest-*' -o -name 'vm-*' -o -name 'debian-*' -o -name 'qemu-*' -o -name 'toolchain-*' -o -name partial \
		-o -name '*.lock' -o -name lock -o -name log -o -name cargo -o -name state \) -exec rm -rf --one-file-system {} +
}

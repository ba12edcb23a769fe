# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Where Debian packages come from: the mirror this host's apt uses, or IGB_RS_MIRROR. The project
# itself names no host.

SUITE=trixie
# With what of it; empty for nothing.
BACKPORTS=$SUITE-backports
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# Repository addresses of the host's apt, without a trailing slash, first named first.
host_repositories() {
	# shellcheck disable=SC2016 # apt expands it
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
		sed 's,/*$,,' | awk '!seen[$0]++'
}

# Does the repository hold this suite?
has_suite() {
	local scratch
	scratch=$(mktemp -d)
	(cd "$scratch" && timeout 60 /usr/lib/apt/apt-helper download-file \
		"$1/dists/$2/InRelease" InRelease >/dev/null 2>&1)
	local status=$?
	rm -rf "$scratch"
	return "$status"
}

# The first repository whose address ends in $1 and which holds the suite $2.
find_repository() {
	local uri
	while read -r uri; do
		[[ $uri == *"$1" ]] && has_suite "$uri" "$2" && echo "$uri" && return
	done < <(host_repositories)
	return 1
}

# sources OUTPUT: writes the sources.list for the suites the mirror has.
write_sources() {
	local main security suite signed=
	[[ -e $KEYRING ]] && signed="[signed-by=$KEYRING] "
	main=${IGB_RS_MIRROR:-$(find_repository /debian "$SUITE")} ||
		die "no Debian mirror with the suite $SUITE in this host's apt configuration:" \
			"set IGB_RS_MIRROR to the address of one"
	main=${main%/}
	for suite in "$SUITE" $BACKPORTS; do
		has_suite "$main" "$suite" || die "the mirror $main does not hold the suite $suite"
		echo "deb $signed$main $suite main"
	done >"$1"
	if has_suite "$main" "$SUITE-updates"; then
		echo "deb $signed$main $SUITE-updates main" >>"$1"
	fi
	security=${IGB_RS_SECURITY_MIRROR:-$main-security}
	if has_suite "$security" "$SUITE-security"; then
		echo "deb $signed$security $SUITE-security main" >>"$1"
	fi
}

# The host's proxy and validity settings, which its mirror may depend on.
write_apt_options() {
	apt-config dump 2>/dev/null |
		grep -E '^Acquire::((http|https)::Proxy|Check-(Valid-Until|Date)|Retries) ' >"$1" || :
}

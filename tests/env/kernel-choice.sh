# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
#
# Which kernel of the mirror is taken: of kernel.series the newest series there is, of this the
# release that everything was last run with, else the newest. A release counts only if the mirror
# has its headers and its source as well, and if the toolchain root's Rust compiler is the one it
# was built with: metadata of another would not match the kernel's symbols. $apt is an array of
# options to apt, $notice a file.

version_of() {
	apt-cache "${apt[@]}" show --no-all-versions "$1" 2>/dev/null | sed -n 's/^Version: //p' | sed -n 1p
}

# The lines of a file like kernel.series.
series_of() { sed 's/#.*//' "$1" | awk 'NF { print $1, $2, $3 }'; }

# All releases of a series and flavour, newest first.
releases_of() {
	apt-cache "${apt[@]}" pkgnames "linux-image-$1." 2>/dev/null | sed -n 's/^linux-image-//p' |
		awk -v head="$1." -v tail="+$2" 'index($0, head) == 1 &&
			substr($0, length($0) - length(tail) + 1) == tail' | sort --version-sort --reverse
}

# Does the mirror have all of a release, in one version?
is_complete() {
	local series=$1 release=$2 version
	version=$(version_of "linux-headers-$release")
	# grep reads to the end: apt-cache would fail with a closed pipe.
	[[ -n $version && -n $(version_of "linux-image-$release") ]] &&
		apt-cache "${apt[@]}" show "linux-source-$series" 2>/dev/null |
		grep -xF "Version: $version" >/dev/null
}

# The Rust compiler a release was built with, as its configuration has it.
compiler_of() {
	local scratch status=0
	scratch=$(mktemp -d)
	(cd "$scratch" && apt-get "${apt[@]}" download "linux-headers-$1" >&2 &&
		dpkg-deb --fsys-tarfile ./*.deb |
		tar --extract --to-stdout "./usr/src/linux-headers-$1/.config" |
			sed -n 's/^CONFIG_RUSTC_VERSION_TEXT="\(.*\)"/\1/p') || status=$?
	rm -rf "$scratch"
	return "$status"
}

# choose_kernel FILE: prints "SERIES RELEASE". What speaks against releases that come before it is
# said on stderr, and in $notice if it is not the release everything was last run with.
choose_kernel() {
	local series flavour usual release has needs why last='' objections=() tried
	has=$(rustc --version)
	while read -r series flavour usual <&3; do
		last=${last:-$usual}
		tried=0
		while read -r release <&4; do
			tried=1
			if ! is_complete "$series" "$release"; then
				why="the mirror lacks its headers or its source"
			elif ! needs=$(compiler_of "$release"); then
				why="its headers cannot be downloaded"
			elif [[ $needs != "$has" ]]; then
				why="it was built with '${needs:-no Rust}', the toolchain root has '$has'"
			else
				[[ $release == "${last:-$release}" ]] || explain "$release" "$last" >"$notice"
				echo "$series $release"
				return
			fi
			objections+=("$release: $why")
			echo "not $release: $why" >&2
		done 4< <(
			releases_of "$series" "$flavour" | grep -xF "${usual:-none}" || :
			releases_of "$series" "$flavour" | grep -vxF "${usual:-none}" || :
		)
		((tried)) || objections+=("$series.*+$flavour: not on the mirror")
	done 3< <(series_of "$1")
	give_up "$1" "$has" >&2
	return 1
}

explain() {
	printf 'using kernel %s, not %s, which everything was last run with' "$1" "$2"
	if ((${#objections[@]})) && [[ ${objections[*]} == *"$2: "* ]]; then
		printf ' (%s)\n' "$(printf '%s\n' "${objections[@]}" | grep -F "$2: " | head -n 1)"
	else
		printf ' and the mirror has no more\n'
	fi
}

give_up() {
	local others
	others=$(apt-cache "${apt[@]}" pkgnames linux-image- 2>/dev/null |
		sed -n 's/^linux-image-\([0-9].*+.*-amd64\)$/\1/p' | grep -v -e -rt- -e -cloud- |
		sort --version-sort --reverse | sed -n 1,8p | xargs) || :
	echo "no kernel can be used. Looked for, newest first:"
	printf '    %s\n' "${objections[@]}"
	echo "The mirror has: ${others:-no kernel of Debian at all}"
	cat <<-WORDS
		What to do, whichever fits:
		- if the mirror has a newer series, see whether the driver builds for it: add a line on top of
		  tests/env/kernel.series
		- if the series has left the mirror, set IGB_RS_MIRROR to a mirror that still has it, such as
		  an archive of snapshots of Debian
		- if only the compiler differs, one of kernel and toolchain root is newer than the other.
		  'make clean-cache' has the root made again, with the mirror's compiler; else use a mirror
		  where both are of one time. The root has: $2
	WORDS
}

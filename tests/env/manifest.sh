#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# manifest.sh write|check DIRECTORY
# Whether a product of the cache is all there and as it was made. `write` is the last step of making
# one: it lists every file with its size and date in DIRECTORY/.manifest, and hashes of the files at
# the top. `check` looks at no more than that, so it can be done before each use. It prints what
# differs and fails then. Files that came later are no damage.

set -euo pipefail
export LC_ALL=C

end="# end"
# Of bigger files only size and date are looked at.
hashed=32M

# What is mounted upon or written to while a toolchain root is in use.
changing=(-false)
for path in dev proc sys run tmp src cache kernel guest opt/venv root var; do
	changing+=(-o -path "./root/$path/*")
done
for path in resolv.conf ssl/certs/ca-certificates.crt ld.so.cache; do
	changing+=(-o -path "./root/etc/$path")
done

list() {
	{
		find . -xdev \( "${changing[@]}" -o -name __pycache__ \) -prune -o -path './.manifest*' -o \
			-type d -printf 'd - - %P\n' -o -printf '%y %s %Ts %P\n'
		find . -maxdepth 1 -type f -size "-$hashed" ! -name '.manifest*' -exec sha256sum {} +
	} | sort
}

write() {
	{
		list
		echo "$end"
	} >.manifest.partial
	mv .manifest.partial .manifest
}

# At most three files by name.
tell() {
	local -A files=()
	local line path
	while IFS= read -r line; do
		path=${line#* * * }
		[[ $line != *"  ./"* ]] || path=${line#*  ./}
		files[$path]=1
	done
	for path in "${!files[@]}"; do
		if [[ -e $path || -L $path ]]; then echo "$path has changed"; else echo "$path is gone"; fi
	done | sort | sed -n "1,3p; 4s/.*/$((${#files[@]} - 3)) more/p" | paste -sd , | sed 's/,/, /g'
}

check() {
	local different
	if [[ ! -f .manifest ]]; then
		echo "it was not finished, or is half removed"
	elif [[ $(tail -n 1 .manifest) != "$end" ]]; then
		echo "its list of files is cut off"
	else
		different=$(list | comm -13 - <(grep -vxF "$end" .manifest))
		[[ -n $different ]] || return 0
		tell <<<"$different"
	fi
	return 1
}

cd "$2"
"$1"

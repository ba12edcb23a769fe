#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# layout.sh LIST VMLINUX: prints Rust assertions that the types named in LIST have the
# size and the member offsets that the BTF in VMLINUX gives them. Without BTF nothing is
# asserted, and that is said on standard error.
set -eu

list=$1
vmlinux=$2
pahole=${PAHOLE:-pahole}

skip() {
	echo "layout.sh: $1: kernel type layouts are not checked" >&2
	echo "// $1"
	exit 0
}

[ -f "$vmlinux" ] || skip "no vmlinux in the kernel build directory"
command -v "$pahole" > /dev/null || skip "no pahole"
LC_ALL=C "$pahole" -F btf --sizes "$vmlinux" > /dev/null 2>&1 || skip "no BTF in vmlinux"

types=$(awk '!/^#/ && NF { printf "%s%s", sep, $1; sep = "," }' "$list")

# pahole warns on standard error of tags it does not know; a missing type is caught below.
"$pahole" -F btf -C "$types" "$vmlinux" 2> /dev/null | awk -v list="$list" '
# Members of the struct itself are indented by one tab and end in: name; /* offset size */
function assert_(expr, value) {
	printf "const _: () = assert!(%s == %d);\n", expr, value
}

/^struct [a-z0-9_]+ \{/ { type = $2 }

type && /^\t[^\t}].*;[ \t]*\/\*/ {
	comment = index($0, "/*")
	decl = substr($0, 1, comment - 1)
	split(substr($0, comment + 2), num, " ")
	if (match(decl, /\(\*+[A-Za-z0-9_]+\)/))
		name = substr(decl, RSTART, RLENGTH)
	else
		name = decl
	gsub(/\[[^]]*\]|:[0-9]+/, "", name)
	gsub(/[();*]/, " ", name)
	sub(/[ \t]+$/, "", name)
	sub(/.*[ \t]/, "", name)
	sub(/:.*/, "", num[1])
	offset[type, name] = num[1]
}

type && /\/\* size: / {
	match($0, /size: [0-9]+/)
	size[type] = substr($0, RSTART + 6, RLENGTH - 6)
}

/^};/ { type = "" }

END {
	while ((getline line < list) > 0) {
		if (line ~ /^#/ || line ~ /^[ \t]*$/)
			continue
		n = split(line, word, " ")
		if (!(word[1] in size)) {
			print "layout.sh: struct " word[1] " is not in the BTF" > "/dev/stderr"
			failed = 1
			continue
		}
		assert_("::core::mem::size_of::<crate::" word[1] ">()", size[word[1]])
		for (i = 2; i <= n; i++) {
			if (!((word[1], word[i]) in offset)) {
				print "layout.sh: no member " word[1] "." word[i] > "/dev/stderr"
				failed = 1
				continue
			}
			assert_("::core::mem::offset_of!(crate::" word[1] ", " word[i] ")", \
				offset[word[1], word[i]])
		}
	}
	exit failed
}'

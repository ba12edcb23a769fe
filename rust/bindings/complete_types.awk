# SPDX-License-Identifier: GPL-2.0
#
# Reads the kernel's generated bindings and prints one regular expression that matches
# every type defined there in full.
#
# bindgen writes a type it has only seen forward-declared as a struct whose one field is
# `_unused: [u8; 0]` or, when the type is not even declared where it is used,
# `_address: u8`. Those are left out: they are the ones to be generated here.
# Names numbered per run (`_bindgen_ty_N` at the top level) mean nothing outside of it.

function emit(name) {
	if (name !~ /^_bindgen_ty_/ && name !~ /^__BindgenBitfieldUnit/)
		printf "%s%s", (n++ ? "|" : ""), name
}

function ident(word) {
	sub(/[^A-Za-z0-9_].*/, "", word)
	return word
}

pending {
	if ($0 !~ /^ *(pub )?_unused: \[u8; 0(usize)?\],/ && $0 !~ /^ *(pub )?_address: u8,/)
		emit(pending)
	pending = ""
}

/^pub (struct|union) .*\{$/ { pending = ident($3); next }
/^pub (struct|union) /      { emit(ident($3)) }
/^pub type /                { emit(ident($3)) }
/^pub enum /                { emit(ident($3)) }

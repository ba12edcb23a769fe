#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# pin-init of kernel 7.3.4 (Debian's linux-source-7.3 7.3.4-1~bpo13+1), rustc 1.85.1 (Debian 1.85.1+dfsg1-1+deb13u1).
#
# "init!" makes an object in its place from an expression for each field; what it needs itself has names
# with two underscores, out of the way of its caller's. One would expect an argument of the caller's to
# mean the same in such an expression whatever its name is. In fact the macro has a variable "slot", the
# address of the object that is being made, and it is the one that an expression sees: a caller's "slot"
# of the same type is not used, and the object gets its own address. The two functions here differ in the
# name of their second argument alone. The compiler says "unused variable". A field of that name
# cannot be initialised at all, wherever it stands.
#
#     an argument "parent": 1 points to the root: true, to itself: false
#     an argument "slot": 2 points to the root: false, to itself: true
#     warning: unused variable: `slot`
#     a field "slot": cannot be compiled
#     a field "place": compiled
#
# Why it matters: drivers have slots, of rings and of buses, and constructors take them as arguments. With
# another type the compiler refuses, with an error about the whole macro; with a pointer to the type it
# takes the wrong one.

HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib.sh
. "$HERE/lib.sh"

provide base-files coreutils dash gcc grep libc6-dev linux-source-7.3=7.3.4-1~bpo13+1 rustc=1.85.1+dfsg1-1+deb13u1 \
	sed tar xz-utils

mkdir "$WORK/share/crates"
inside tar --extract --directory /mnt/crates --strip-components 2 \
	--file /usr/src/linux-source-7.3.tar.xz linux-source-7.3/rust/{proc-macro2,quote,syn,pin-init}

cat >"$WORK/share/pointer.rs" <<'SOURCE'
use pin_init::*;

struct Node {
    number: u32,
    parent: *const Node,
}

fn by_parent(number: u32, parent: *mut Node) -> impl Init<Node> {
    init!(Node { number: number, parent: parent })
}

fn by_slot(number: u32, slot: *mut Node) -> impl Init<Node> {
    init!(Node { number: number, parent: slot })
}

fn main() {
    let mut root = Node { number: 0, parent: core::ptr::null() };
    let place = &raw mut root;
    stack_pin_init!(let first = by_parent(1, place));
    stack_pin_init!(let second = by_slot(2, place));
    for (name, node) in [("parent", &*first), ("slot", &*second)] {
        println!(
            "an argument \"{name}\": {} points to the root: {}, to itself: {}",
            node.number,
            core::ptr::eq(node.parent, place),
            core::ptr::eq(node.parent, node)
        );
    }
}
SOURCE
for name in slot place; do
	cat >"$WORK/share/$name.rs" <<-SOURCE
		use pin_init::*;

		#[pin_data]
		struct Frame {
		    number: u32,
		    $name: u32,
		}

		fn main() {
		    stack_pin_init!(let frame = pin_init!(Frame { number: 1, $name: 2 }));
		    println!("{} {}", frame.number, frame.$name);
		}
	SOURCE
done
cat >"$WORK/share/make" <<'MAKE'
set -e
cd /mnt/crates
# As the kernel's Makefile has it: its crates ask for features that this compiler does not call stable.
export RUSTC_BOOTSTRAP=1
crate() { rustc -Clinker=gcc --edition=2021 --cap-lints=allow --cfg USE_RUSTC_FEATURES -L /mnt --out-dir /mnt "$@"; }
crate --crate-type rlib --crate-name proc_macro2 proc-macro2/lib.rs --cfg 'feature="proc-macro"' \
	--cfg wrap_proc_macro
crate --crate-type rlib --crate-name quote quote/lib.rs --cfg 'feature="proc-macro"' --extern proc_macro2
set --
for feature in clone-impls derive full parsing printing proc-macro visit visit-mut; do
	set -- "$@" --cfg "feature=\"$feature\""
done
crate --crate-type rlib --crate-name syn syn/lib.rs "$@" --extern proc_macro2 --extern quote
crate --crate-type proc-macro --crate-name pin_init_internal pin-init/internal/src/lib.rs --cfg kernel \
	--extern proc_macro --extern proc_macro2 --extern quote --extern syn
crate --crate-type rlib --crate-name pin_init pin-init/src/lib.rs --cfg kernel --extern pin_init_internal
program() {
	rustc -Clinker=gcc --edition=2021 -L /mnt --out-dir /mnt "/mnt/$1.rs" --extern pin_init 2>"/mnt/$1.log"
}
program pointer
/mnt/pointer
grep '^warning: unused' /mnt/pointer.log
for name in slot place; do
	if program $name; then
		echo "a field \"$name\": compiled"
	else
		echo "a field \"$name\": cannot be compiled"
	fi
done
MAKE
inside sh /mnt/make >>"$SEEN" 2>"$WORK/log" || {
	tail -n 20 "$WORK/log" >&2
	die "the crates could not be compiled"
}
# shellcheck disable=SC2016 # the compiler's quotes
expect 'an argument "parent": 1 points to the root: true, to itself: false' \
	'an argument "slot": 2 points to the root: false, to itself: true' \
	'warning: unused variable: `slot`' \
	'a field "slot": cannot be compiled' \
	'a field "place": compiled'

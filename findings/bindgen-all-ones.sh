#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bindgen 0.71.1 (Debian 0.71.1-6), libclang 19.
#
# Register masks in C are macros of one type, here unsigned long long, and bindgen makes constants of
# them. One would expect u64 for each, or the smallest unsigned type that has room. Up to 63 bits this is
# so. In fact a mask of all 64 bits becomes an i32 of -1, and one with just the top bit a negative i64:
# values pass through a signed 64-bit number, and the type is chosen by that.
#
#     MASK_40: u64 = 1099511627775
#     MASK_63: u64 = 9223372036854775807
#     MASK_64: i32 = -1
#     TOP_BIT: i64 = -9223372036854775808
#     FIVE: u32 = 5
#
# Why it matters: "as u64" happens to be right for all of them, "u64::from()" compiles for the narrow
# masks only, and "as u32 as u64" makes a 32-bit DMA mask of a 64-bit one without a word. A header that
# widens a mask by one bit changes the sign and the type of the constant in a Rust driver.

HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib.sh
. "$HERE/lib.sh"

provide base-files bindgen=0.71.1-6
cat >"$WORK/share/masks.h" <<'HEADER'
#define MASK_40 0xffffffffffULL
#define MASK_63 0x7fffffffffffffffULL
#define MASK_64 0xffffffffffffffffULL
#define TOP_BIT 0x8000000000000000ULL
#define FIVE    5ULL
HEADER
inside bindgen --formatter none --no-layout-tests /mnt/masks.h |
	tr ';' '\n' | sed -n 's/^ *pub const \([A-Z_0-9]*\) *: *\(...\) *= *\(-\?\) */\1: \2 = \3/p' >>"$SEEN"
expect "MASK_40: u64 = 1099511627775" \
	"MASK_63: u64 = 9223372036854775807" \
	"MASK_64: i32 = -1" \
	"TOP_BIT: i64 = -9223372036854775808" \
	"FIVE: u32 = 5"

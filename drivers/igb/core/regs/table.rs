// SPDX-License-Identifier: GPL-2.0

//! The tables of registers, and what is made of them.
//!
//! `registers!` takes the registers of a block, one a line, and makes the typed registers of them, and a
//! table that says the same at run time. The dump, the names of registers and the documentation are
//! made of the tables; there is no other list.

use super::Kind;

/// What a register holds after a reset of the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// This word.
    Word(u32),
    /// What the NVM says, or what the board is.
    Nvm,
    /// What it held before; nothing certain after power-on.
    Kept,
}

/// Elements of an array of registers that are equally far apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first element.
    pub first: usize,
    /// The element after the last one.
    pub end: usize,
    /// Offset of the first element.
    pub base: u32,
    /// Bytes between elements.
    pub stride: u32,
}

impl Range {
    pub(super) const NONE: Self = Self {
        first: 0,
        end: 0,
        base: 0,
        stride: 0,
    };

    const fn len(&self) -> usize {
        self.end.saturating_sub(self.first)
    }

    /// Offset of element `n`; the arithmetic wraps.
    const fn offset(&self, n: usize) -> u32 {
        array(self.base, self.stride, n.wrapping_sub(self.first))
    }
}

/// Offset of element `n` of a register array that starts at `base`, `stride` bytes apart.
///
/// Callers keep `n` within the array; the arithmetic itself wraps rather than overflows.
pub(super) const fn array(base: u32, stride: u32, n: usize) -> u32 {
    // Truncation is harmless: no register array has more than 256 elements.
    #[allow(clippy::cast_possible_truncation)]
    let n = n as u32;
    base.wrapping_add(stride.wrapping_mul(n))
}

/// A register, or an array of them, as it is in its block's table.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// Its name in this crate: that of the datasheet, of an array in lower case.
    pub name: &'static str,
    /// How it may be accessed.
    pub kind: Kind,
    /// What it holds after a reset.
    pub reset: Reset,
    /// What it holds after a reset of QEMU's model, where that is another value or one that the
    /// datasheet leaves open.
    pub qemu: Option<u32>,
    /// It is in a dump.
    pub dumped: bool,
    /// Where it is. A single register is the one element of its range.
    pub ranges: [Range; 2],
}

impl Info {
    /// It is an array.
    #[must_use]
    pub const fn is_array(&self) -> bool {
        let [first, _] = &self.ranges;
        first.stride != 0
    }

    /// Number of registers.
    #[must_use]
    pub const fn count(&self) -> usize {
        let [first, second] = &self.ranges;
        first.len().saturating_add(second.len())
    }

    /// Index and offset of each register.
    pub fn registers(&self) -> impl Iterator<Item = (usize, u32)> + '_ {
        self.ranges
            .iter()
            .flat_map(|range| (range.first..range.end).map(|n| (n, range.offset(n))))
    }
}

/// Defines the registers of a block, one a line:
///
/// ```text
/// /// What it is for.
/// NAME @ 0x1234: Rw<name::Name> = 0x5678 (qemu 0x9abc), dumped;
/// /// What element 0..=15 is for.
/// name[0..16 @ 0x1234, 0x40]: Rw<u32> = kept;
/// ```
///
/// The offset, or the elements of an array, the offset of the first and the bytes between them; the way
/// of access ([`Kind`]) and the type of the value; the value after a reset, `nvm` or `kept`
/// ([`Reset`]), and that of QEMU's model if it is another; and whether it is in a dump.
macro_rules! registers {
    (@reset nvm) => { $crate::regs::Reset::Nvm };
    (@reset kept) => { $crate::regs::Reset::Kept };
    (@reset $word:tt) => { $crate::regs::Reset::Word($word) };

    (@qemu) => { None };
    (@qemu $word:tt) => { Some($word) };

    (@dumped) => { false };
    (@dumped dumped) => { true };

    (@item [$($doc:tt)+] $name:ident @ $offset:tt; $access:ident $value:ty) => {
        $(#[doc = $doc])+
        pub const $name: $crate::regs::Reg<$value, $crate::regs::$access> =
            $crate::regs::Reg::new($offset);
    };
    (@item [$($doc:tt)+] $name:ident [0..$end:tt @ $base:tt, $stride:tt]; $access:ident $value:ty) => {
        $(#[doc = $doc])+
        #[must_use]
        pub const fn $name(n: usize) -> $crate::regs::Reg<$value, $crate::regs::$access> {
            $crate::regs::Reg::new($crate::regs::table::array($base, $stride, n))
        }
    };
    (@item [$($doc:tt)+] $name:ident [
        0..$end:tt @ $base:tt, $stride:tt;
        $first2:tt..$end2:tt @ $base2:tt, $stride2:tt
    ]; $access:ident $value:ty) => {
        $(#[doc = $doc])+
        #[must_use]
        pub const fn $name(n: usize) -> $crate::regs::Reg<$value, $crate::regs::$access> {
            if n < $end {
                $crate::regs::Reg::new($crate::regs::table::array($base, $stride, n))
            } else {
                $crate::regs::Reg::new($crate::regs::table::array(
                    $base2, $stride2, n.wrapping_sub($first2),
                ))
            }
        }
    };

    (@ranges @ $offset:tt) => {
        registers!(@ranges [0..1 @ $offset, 0])
    };
    (@ranges [$first:tt..$end:tt @ $base:tt, $stride:tt]) => {
        [registers!(@range $first $end $base $stride), $crate::regs::table::Range::NONE]
    };
    (@ranges [
        $first:tt..$end:tt @ $base:tt, $stride:tt;
        $first2:tt..$end2:tt @ $base2:tt, $stride2:tt
    ]) => {
        [
            registers!(@range $first $end $base $stride),
            registers!(@range $first2 $end2 $base2 $stride2),
        ]
    };
    (@range $first:tt $end:tt $base:tt $stride:tt) => {
        $crate::regs::table::Range { first: $first, end: $end, base: $base, stride: $stride }
    };

    ($(
        $(#[doc = $doc:tt])+
        $name:ident $(@ $offset:tt)? $([$($range:tt)+])?: $access:ident<$value:ty>
            = $reset:tt $((qemu $qemu:tt))? $(, $dumped:ident)?;
    )+) => {
        $(registers! {
            @item [$($doc)+] $name $(@ $offset)? $([$($range)+])?; $access $value
        })+

        /// The registers of this block.
        pub(in $crate::regs) const TABLE: &[$crate::regs::Info] = &[$($crate::regs::Info {
            name: stringify!($name),
            kind: $crate::regs::Kind::$access,
            reset: registers!(@reset $reset),
            qemu: registers!(@qemu $($qemu)?),
            dumped: registers!(@dumped $($dumped)?),
            ranges: registers!(@ranges $(@ $offset)? $([$($range)+])?),
        },)+];

        /// What they are for.
        pub(in $crate::regs) const ABOUT: &[&str] = &[$(concat!($($doc),+),)+];
    };
}

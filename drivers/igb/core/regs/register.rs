// SPDX-License-Identifier: GPL-2.0

//! What a register is: where it is, what its value means, how it may be accessed.

use core::marker::PhantomData;

/// A register of the controller: its offset in BAR 0, the type of its value, and how it may be
/// accessed.
///
/// The value of a register with fields is a type of its own, of which the constants and functions in
/// the module of the register's name are. So a field cannot be written to a register that does not
/// have it:
///
/// ```
/// use igb_core::regs::{self, ctrl, Access, Registers};
///
/// let device = Access(|_| 0, |offset, value| assert_eq!((offset, value), (0, 1 << 6)));
/// device.write(regs::CTRL, ctrl::SLU);
/// ```
///
/// ```compile_fail,E0308
/// use igb_core::regs::{self, rctl, Access, Registers};
///
/// let device = Access(|_| 0, |_, _| {});
/// device.write(regs::CTRL, rctl::EN);
/// ```
///
/// Nor can fields of two registers be put into one value:
///
/// ```compile_fail,E0308
/// use igb_core::regs::{ctrl, rctl};
///
/// let value = ctrl::SLU | rctl::EN;
/// ```
///
/// A number is no value of a register with fields:
///
/// ```compile_fail,E0308
/// use igb_core::regs::{self, Access, Registers};
///
/// let device = Access(|_| 0, |_, _| {});
/// device.write(regs::CTRL, 0x40);
/// ```
///
/// An element of an array is typed as well:
///
/// ```compile_fail,E0308
/// use igb_core::regs::{self, vmolr, Access, Registers};
///
/// let device = Access(|_| 0, |_, _| {});
/// device.write(regs::vmvir(0), vmolr::BAM);
/// ```
///
/// A register that cannot be written is not written:
///
/// ```compile_fail,E0277
/// use igb_core::regs::{self, status, Access, Registers};
///
/// let device = Access(|_| 0, |_, _| {});
/// device.write(regs::STATUS, status::LU);
/// ```
///
/// One that cannot be read is not read:
///
/// ```compile_fail,E0277
/// use igb_core::regs::{self, Access, Registers};
///
/// let device = Access(|_| 0, |_, _| {});
/// device.read(regs::EIMC);
/// ```
///
/// What was read of a register whose bits are cleared by writing ones is not written back:
///
/// ```compile_fail,E0277
/// use igb_core::regs::{self, Access, Registers};
///
/// let device = Access(|_| 0, |_, _| {});
/// device.update(regs::VFLRE, |vfs| vfs & 1);
/// ```
pub struct Reg<V, A = Rw> {
    offset: u32,
    _value: PhantomData<fn() -> (V, A)>,
}

// Not derived: that would ask the same of `V` and `A`.
impl<V, A> Clone for Reg<V, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V, A> Copy for Reg<V, A> {}

impl<V, A> Reg<V, A> {
    pub(super) const fn new(offset: u32) -> Self {
        Self {
            offset,
            _value: PhantomData,
        }
    }

    /// Bytes from the start of BAR 0.
    #[must_use]
    pub const fn offset(self) -> u32 {
        self.offset
    }
}

/// What a register holds: `B` is the word that is read and written.
pub trait Word<B = u32>: Copy {
    /// The value a word stands for.
    fn from_bits(bits: B) -> Self;

    /// The word that stands for a value.
    fn bits(self) -> B;
}

/// A number, an address or a bitmap: a register without fields.
impl Word for u32 {
    fn from_bits(bits: u32) -> Self {
        bits
    }

    fn bits(self) -> u32 {
        self
    }
}

/// A way to access a register that includes reading it.
pub trait Readable {}

/// A way to access a register that includes writing it.
pub trait Writable {}

/// A way to access a register that lets what was read be changed and written back.
pub trait Updatable: Readable + Writable {}

macro_rules! access {
    ($($(#[doc = $doc:literal])+ $name:ident = $short:literal: $($what:ident)+, $harmless:literal;)+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Clone, Copy, Debug)]
            pub enum $name {}

            $(impl $what for $name {})+
        )+

        /// How a register may be accessed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Kind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The abbreviation of it in tables.
            #[must_use]
            pub const fn short(self) -> &'static str {
                match self {
                    $(Self::$name => $short,)+
                }
            }

            /// What it means, in a few words.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),+),)+
                }
            }

            /// Reading a register is possible, and has no effect.
            #[must_use]
            pub const fn is_harmless_to_read(self) -> bool {
                match self {
                    $(Self::$name => $harmless,)+
                }
            }
        }
    };
}

access! {
    /// Read and written.
    Rw = "RW": Readable Writable Updatable, true;
    /// Only read.
    Ro = "RO": Readable, true;
    /// Only written.
    Wo = "WO": Writable, false;
    /// Cleared by reading.
    Rc = "RC": Readable, false;
    /// Read; ones that are written clear bits.
    W1c = "W1C": Readable Writable, true;
    /// Read; ones that are written set bits.
    W1s = "W1S": Readable Writable, true;
    /// Read and written; reading sets a bit.
    Rs = "RS": Readable Writable Updatable, false;
}

/// Where registers are read and written: at an offset as words, and typed.
pub trait Registers {
    /// Reads the word at an offset.
    fn read_at(&self, offset: u32) -> u32;

    /// Writes the word at an offset.
    fn write_at(&self, offset: u32, value: u32);

    /// Reads a register.
    fn read<V: Word>(&self, register: Reg<V, impl Readable>) -> V {
        V::from_bits(self.read_at(register.offset()))
    }

    /// Writes a register.
    fn write<V: Word>(&self, register: Reg<V, impl Writable>, value: V) {
        self.write_at(register.offset(), value.bits());
    }

    /// Replaces a register's value.
    fn update<V: Word>(
        &self,
        register: Reg<V, impl Updatable>,
        change: impl FnOnce(V) -> V, //
    ) {
        self.write(register, change(self.read(register)));
    }
}

/// Registers behind two functions: one returns the word at an offset, the other writes it.
#[derive(Clone, Copy, Debug)]
pub struct Access<R, W>(pub R, pub W);

impl<R: Fn(u32) -> u32, W: Fn(u32, u32)> Registers for Access<R, W> {
    fn read_at(&self, offset: u32) -> u32 {
        (self.0)(offset)
    }

    fn write_at(&self, offset: u32, value: u32) {
        (self.1)(offset, value);
    }
}

/// Defines the type of the values of a register: a word of which only the module it is in makes
/// others than those that are read, and combinations.
macro_rules! word {
    ($name:ident) => {
        word!($name: u32);
    };
    ($name:ident: $bits:ty) => {
        #[doc = concat!("A value of the type `", stringify!($name), "`: the fields are in this module.")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name($bits);

        impl $name {
            /// All bits are clear.
            pub const ZERO: Self = Self(0);

            /// The word that stands for the value.
            #[must_use]
            pub const fn bits(self) -> $bits {
                self.0
            }

            /// The bits of both.
            #[must_use]
            pub const fn or(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// Without the bits of `other`.
            #[must_use]
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }

            /// All bits of `other` are set.
            #[must_use]
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// The value on a condition, else [`Self::ZERO`].
            #[must_use]
            pub const fn when(self, condition: bool) -> Self {
                if condition {
                    self
                } else {
                    Self::ZERO
                }
            }
        }

        impl $crate::regs::Word<$bits> for $name {
            fn from_bits(bits: $bits) -> Self {
                Self(bits)
            }

            fn bits(self) -> $bits {
                self.0
            }
        }

        impl core::ops::BitOr for $name {
            type Output = Self;

            fn bitor(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }

        impl core::ops::BitOrAssign for $name {
            fn bitor_assign(&mut self, other: Self) {
                self.0 |= other.0;
            }
        }

        impl core::ops::BitAnd for $name {
            type Output = Self;

            fn bitand(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }
        }

        impl core::ops::BitAndAssign for $name {
            fn bitand_assign(&mut self, other: Self) {
                self.0 &= other.0;
            }
        }

        impl core::ops::Not for $name {
            type Output = Self;

            fn not(self) -> Self {
                Self(!self.0)
            }
        }

        /// Values are compared with numbers, mostly with 0; they are not made of them.
        impl PartialEq<$bits> for $name {
            fn eq(&self, other: &$bits) -> bool {
                self.0 == *other
            }
        }
    };
}

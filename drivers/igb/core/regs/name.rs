// SPDX-License-Identifier: GPL-2.0

//! Names of registers.

use super::{
    all,
    Info, //
};
use core::fmt::{
    self,
    Write, //
};

/// The register at an offset in bytes: its datasheet name, or the offset if the tables have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisterName(pub u32);

impl fmt::Display for RegisterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for info in all() {
            if let Some((n, _)) = info.registers().find(|(_, offset)| *offset == self.0) {
                write_name(info, f)?;
                return if info.is_array() {
                    write!(f, "[{n}]")
                } else {
                    Ok(())
                };
            }
        }
        write!(f, "{:#07x}", self.0)
    }
}

fn write_name(info: &Info, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    info.name
        .chars()
        .try_for_each(|c| f.write_char(c.to_ascii_uppercase()))
}

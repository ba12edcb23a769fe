// SPDX-License-Identifier: GPL-2.0

//! Text in the fixed character arrays of the kernel's structs.

use core::fmt;

/// A character array that is being written.
///
/// What does not fit is cut off; the text always ends with a NUL.
pub(crate) struct Text<'a> {
    buf: &'a mut [u8],
    len: usize,
}

impl<'a> Text<'a> {
    /// Starts with an empty text in `buf`.
    pub(crate) fn new(buf: &'a mut [u8]) -> Self {
        buf.fill(0);
        Self { buf, len: 0 }
    }
}

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        // The last byte stays the NUL it is.
        let room = self.buf.len().saturating_sub(1);
        let Some(free) = self.buf.get_mut(self.len..room) else {
            return Ok(());
        };
        for (to, from) in free.iter_mut().zip(s.bytes()) {
            *to = from;
            self.len = self.len.wrapping_add(1);
        }
        Ok(())
    }
}

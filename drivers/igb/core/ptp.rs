// SPDX-License-Identifier: GPL-2.0

//! The PTP hardware clock, and the frames that are stamped with its time (datasheet 7.9).
//!
//! - [`clock`]: what the time is, when the counter shows a value.
//! - [`stamping`]: which frames are stamped, and the registers that say so.
//! - [`message`]: whether a frame is a message that is to be stamped.

pub mod clock;
pub mod message;
pub mod stamping;

// SPDX-License-Identifier: GPL-2.0

//! IEEE 1588 clock and time stamps.

/// Time sync Rx configuration.
pub const TSYNCRXCFG: u32 = 0x5f50;
/// System time, low. Reading it latches [`SYSTIMH`].
pub const SYSTIML: u32 = 0xb600;
/// System time, high.
pub const SYSTIMH: u32 = 0xb604;
/// Clock increment.
pub const TIMINCA: u32 = 0xb608;
/// Time adjustment, low.
pub const TIMADJL: u32 = 0xb60c;
/// Time adjustment, high. Writing it applies both halves.
pub const TIMADJH: u32 = 0xb610;
/// Tx time sync control.
pub const TSYNCTXCTL: u32 = 0xb614;
/// Tx time stamp, low.
pub const TXSTMPL: u32 = 0xb618;
/// Tx time stamp, high. Reading it clears `TSYNCTXCTL.VALID`.
pub const TXSTMPH: u32 = 0xb61c;
/// Rx time sync control.
pub const TSYNCRXCTL: u32 = 0xb620;
/// Rx time stamp, low.
pub const RXSTMPL: u32 = 0xb624;
/// Rx time stamp, high.
pub const RXSTMPH: u32 = 0xb628;
/// Rx time stamp attributes, low.
pub const RXSATRL: u32 = 0xb62c;
/// Rx time stamp attributes, high. Reading it clears `TSYNCRXCTL.VALID`.
pub const RXSATRH: u32 = 0xb630;

/// Fields of [`TIMINCA`].
pub mod timinca {
    /// Adds `value` (24 bits) to the clock every `period` (8 bits) times 16 ns.
    #[must_use]
    pub const fn increment(period: u8, value: u32) -> u32 {
        ((period as u32) << 24) | (value & 0x00ff_ffff)
    }
}

/// Bits of [`TSYNCTXCTL`].
pub mod tsynctxctl {
    use super::super::bit;

    /// A time stamp is latched.
    pub const VALID: u32 = bit(0);
    /// Enable.
    pub const ENABLED: u32 = bit(4);
}

/// Fields of [`TSYNCRXCTL`].
pub mod tsyncrxctl {
    use super::super::bit;

    /// A time stamp is latched.
    pub const VALID: u32 = bit(0);
    /// Which frames are stamped: PTP v2 over Ethernet.
    pub const TYPE_L2_V2: u32 = 0x0;
    /// PTP v1 over UDP.
    pub const TYPE_L4_V1: u32 = 0x2;
    /// PTP v2 over Ethernet and UDP.
    pub const TYPE_L2_L4_V2: u32 = 0x4;
    /// All PTP v2 event messages.
    pub const TYPE_EVENT_V2: u32 = 0xa;
    /// Enable.
    pub const ENABLED: u32 = bit(4);
}

// SPDX-License-Identifier: GPL-2.0

//! Registers of the internal copper PHY, reached through `MDIC`. All are 16 bits wide.

/// Control (IEEE 802.3 clause 22).
pub const BMCR: u8 = 0;
/// Status (clause 22). Link is latched low: read twice.
pub const BMSR: u8 = 1;
/// PHY identifier, high word.
pub const PHY_ID1: u8 = 2;
/// PHY identifier, low word.
pub const PHY_ID2: u8 = 3;
/// Auto-negotiation advertisement.
pub const ANAR: u8 = 4;
/// Link partner ability.
pub const ANLPAR: u8 = 5;
/// 1000BASE-T control.
pub const GBCR: u8 = 9;
/// 1000BASE-T status.
pub const GBSR: u8 = 10;
/// Extended status.
pub const ESTATUS: u8 = 15;
/// Port configuration (vendor specific).
pub const PORT_CONFIG: u8 = 16;
/// Port status (vendor specific).
pub const PORT_STATUS: u8 = 17;
/// Port control (vendor specific).
pub const PORT_CTRL: u8 = 18;
/// Power management (vendor specific).
pub const POWER_MGMT: u8 = 25;

/// Bits of [`BMCR`].
pub mod bmcr {
    /// Speed select, high bit: 1000 Mb/s.
    pub const SPEED_1000: u16 = 0x0040;
    /// Full duplex.
    pub const FULL_DUPLEX: u16 = 0x0100;
    /// Restart auto-negotiation; self-clearing.
    pub const RESTART_AN: u16 = 0x0200;
    /// Power down.
    pub const POWER_DOWN: u16 = 0x0800;
    /// Auto-negotiation enable.
    pub const AN_ENABLE: u16 = 0x1000;
    /// Speed select, low bit: 100 Mb/s.
    pub const SPEED_100: u16 = 0x2000;
    /// Loopback.
    pub const LOOPBACK: u16 = 0x4000;
    /// Reset; self-clearing.
    pub const RESET: u16 = 0x8000;
}

/// Bits of [`BMSR`].
pub mod bmsr {
    /// Link is up; latched low.
    pub const LINK: u16 = 0x0004;
    /// Auto-negotiation is complete.
    pub const AN_COMPLETE: u16 = 0x0020;
}

/// Bits of [`ANAR`] and [`ANLPAR`].
pub mod anar {
    /// Selector field: IEEE 802.3.
    pub const SELECTOR: u16 = 0x0001;
    /// 10BASE-T half duplex.
    pub const T10_HALF: u16 = 0x0020;
    /// 10BASE-T full duplex.
    pub const T10_FULL: u16 = 0x0040;
    /// 100BASE-TX half duplex.
    pub const TX_HALF: u16 = 0x0080;
    /// 100BASE-TX full duplex.
    pub const TX_FULL: u16 = 0x0100;
    /// Symmetric pause.
    pub const PAUSE: u16 = 0x0400;
    /// Asymmetric pause.
    pub const ASYM_PAUSE: u16 = 0x0800;
}

/// Bits of [`GBCR`].
pub mod gbcr {
    /// Advertise 1000BASE-T half duplex (the MAC cannot do it: never set).
    pub const HALF: u16 = 0x0100;
    /// Advertise 1000BASE-T full duplex.
    pub const FULL: u16 = 0x0200;
    /// Manual master/slave value: master.
    pub const MASTER: u16 = 0x0800;
    /// Manual master/slave enable.
    pub const MANUAL_MASTER: u16 = 0x1000;
}

/// Bits of [`GBSR`].
pub mod gbsr {
    /// The partner can do 1000BASE-T half duplex.
    pub const LP_HALF: u16 = 0x0400;
    /// The partner can do 1000BASE-T full duplex.
    pub const LP_FULL: u16 = 0x0800;
    /// Remote receiver works.
    pub const REMOTE_RX: u16 = 0x1000;
    /// Local receiver works.
    pub const LOCAL_RX: u16 = 0x2000;
}

/// Bits of [`PORT_STATUS`].
pub mod port_status {
    /// Crossover in use.
    pub const MDIX: u16 = 0x0800;
}

/// Bits of [`PORT_CTRL`].
pub mod port_ctrl {
    /// Automatic crossover.
    pub const AUTO_MDIX: u16 = 0x1000;
    /// Forced crossover.
    pub const FORCE_MDIX: u16 = 0x2000;
}

/// Bits of [`POWER_MGMT`].
pub mod power_mgmt {
    /// Low power link-up in D0a.
    pub const D0_LPLU: u16 = 0x0002;
    /// Low power link-up in all other states.
    pub const D3_LPLU: u16 = 0x0004;
}

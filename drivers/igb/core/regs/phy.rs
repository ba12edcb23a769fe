// SPDX-License-Identifier: GPL-2.0

//! Registers of the internal copper PHY, reached through `MDIC`. All are 16 bits wide.

use super::{
    Info,
    Kind, //
};
use core::marker::PhantomData;

/// A register of the PHY: its number, the type of its value and how it may be accessed.
///
/// As for the controller's registers ([`Reg`](super::Reg)), a field cannot be written to a register that
/// does not have it.
pub struct PhyReg<V, A = super::Rw> {
    number: u8,
    _value: PhantomData<fn() -> (V, A)>,
}

impl<V, A> Clone for PhyReg<V, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V, A> Copy for PhyReg<V, A> {}

impl<V, A> PhyReg<V, A> {
    const fn new(number: u8) -> Self {
        Self {
            number,
            _value: PhantomData,
        }
    }

    /// Its number, 0..=31.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.number
    }
}

/// Defines the registers of the PHY as `registers!` does those of the controller: by number.
macro_rules! phy_registers {
    ($(
        $(#[doc = $doc:tt])+
        $name:ident @ $number:tt: $access:ident<$value:ty> = $reset:tt $((qemu $qemu:tt))?;
    )+) => {
        $(
            $(#[doc = $doc])+
            pub const $name: PhyReg<$value, super::$access> = PhyReg::new($number);
        )+

        /// The registers of the PHY.
        pub(super) const TABLE: &[Info] = &[$(Info {
            name: stringify!($name),
            kind: Kind::$access,
            reset: registers!(@reset $reset),
            qemu: registers!(@qemu $($qemu)?),
            dumped: false,
            ranges: registers!(@ranges @ $number),
        },)+];

        /// What they are for.
        pub(super) const ABOUT: &[&str] = &[$(concat!($($doc),+),)+];
    };
}

phy_registers! {
    /// Control (IEEE 802.3 clause 22).
    BMCR @ 0: Rw<bmcr::Bmcr> = 0x1140;
    /// Identifier, first half.
    PHYID1 @ 2: Ro<u16> = 0x02a8;
    /// Identifier, second half: model and revision.
    PHYID2 @ 3: Ro<u16> = 0x0391;
    /// Auto-negotiation advertisement.
    ANAR @ 4: Rw<anar::Anar> = 0x0de1;
    /// Link partner ability.
    ANLPAR @ 5: Ro<anar::Anar> = 0 (qemu 0x07e0);
    /// 1000BASE-T control.
    GBCR @ 9: Rw<gbcr::Gbcr> = 0x0f00;
    /// 1000BASE-T status.
    GBSR @ 10: Ro<gbsr::Gbsr> = 0 (qemu 0x3c00);
    /// Port configuration (vendor specific).
    PORT_CONFIG @ 16: Rw<port_config::PortConfig> = nvm (qemu 0x0120);
    /// Port status (vendor specific).
    PORT_STATUS @ 17: Ro<port_status::PortStatus> = 0 (qemu 0xc000);
    /// Port control (vendor specific).
    PORT_CTRL @ 18: Rw<port_ctrl::PortCtrl> = 0;
    /// Power management (vendor specific).
    POWER_MGMT @ 25: Rw<power_mgmt::PowerMgmt> = nvm (qemu 0x008d);
    /// Page of the registers above 15 (vendor specific): the number of the register selects its first.
    PAGE_SELECT @ 31: Wo<u16> = 0;
}

impl super::Word<u16> for u16 {
    fn from_bits(bits: u16) -> Self {
        bits
    }

    fn bits(self) -> u16 {
        self
    }
}

/// Bits of [`BMCR`].
pub mod bmcr {
    word!(Bmcr: u16);

    /// Speed select, high bit: 1000 Mb/s.
    pub const SPEED_1000: Bmcr = Bmcr(0x0040);
    /// Full duplex.
    pub const FULL_DUPLEX: Bmcr = Bmcr(0x0100);
    /// Restart auto-negotiation; self-clearing.
    pub const RESTART_AN: Bmcr = Bmcr(0x0200);
    /// Power down.
    pub const POWER_DOWN: Bmcr = Bmcr(0x0800);
    /// Auto-negotiation enable.
    pub const AN_ENABLE: Bmcr = Bmcr(0x1000);
    /// Speed select, low bit: 100 Mb/s.
    pub const SPEED_100: Bmcr = Bmcr(0x2000);
    /// Loopback.
    pub const LOOPBACK: Bmcr = Bmcr(0x4000);
    /// Resets the PHY; self-clearing.
    pub const RESET: Bmcr = Bmcr(0x8000);
}

/// Bits of [`ANAR`] and [`ANLPAR`].
pub mod anar {
    word!(Anar: u16);

    /// Selector field: IEEE 802.3.
    pub const SELECTOR: Anar = Anar(0x0001);
    /// 10BASE-T half duplex.
    pub const T10_HALF: Anar = Anar(0x0020);
    /// 10BASE-T full duplex.
    pub const T10_FULL: Anar = Anar(0x0040);
    /// 100BASE-TX half duplex.
    pub const TX_HALF: Anar = Anar(0x0080);
    /// 100BASE-TX full duplex.
    pub const TX_FULL: Anar = Anar(0x0100);
    /// Symmetric pause.
    pub const PAUSE: Anar = Anar(0x0400);
    /// Asymmetric pause.
    pub const ASYM_PAUSE: Anar = Anar(0x0800);
}

/// Bits of [`GBCR`].
pub mod gbcr {
    word!(Gbcr: u16);

    /// Advertise 1000BASE-T half duplex (the MAC cannot do it: never set).
    pub const HALF: Gbcr = Gbcr(0x0100);
    /// Advertise 1000BASE-T full duplex.
    pub const FULL: Gbcr = Gbcr(0x0200);
    /// Which end gives the clock is not negotiated.
    pub const MASTER_SET: Gbcr = Gbcr(0x1000);
}

/// Bits of [`GBSR`].
pub mod gbsr {
    word!(Gbsr: u16);

    /// The partner can do 1000BASE-T full duplex.
    pub const LP_FULL: Gbsr = Gbsr(0x0800);
}

/// Bits of [`PORT_CONFIG`].
pub mod port_config {
    word!(PortConfig: u16);

    /// SmartSpeed: a link that cannot be had at 1000 Mb/s is tried at less.
    pub const SMART_SPEED: PortConfig = PortConfig(0x0080);
}

/// Bits of [`POWER_MGMT`].
pub mod power_mgmt {
    word!(PowerMgmt: u16);

    /// Low power link-up in D0: the lowest speed both ends have is preferred.
    pub const LPLU_D0: PowerMgmt = PowerMgmt(0x0002);
}

/// Bits of [`PORT_STATUS`].
pub mod port_status {
    word!(PortStatus: u16);

    /// Crossover in use.
    pub const MDIX: PortStatus = PortStatus(0x0800);
}

/// Bits of [`PORT_CTRL`].
pub mod port_ctrl {
    word!(PortCtrl: u16);

    /// Automatic crossover.
    pub const AUTO_MDIX: PortCtrl = PortCtrl(0x1000);
    /// Forced crossover.
    pub const FORCE_MDIX: PortCtrl = PortCtrl(0x2000);
}

// SPDX-License-Identifier: GPL-2.0

//! What is between the controller and a link that is not that of the internal PHY: SerDes, the physical
//! coding sublayer, an SFP cage.

registers! {
    /// SerDes control.
    SCTL @ 0x0024: Wo<sctl::Sctl> = 0;
    /// Switch between copper and fibre.
    CONNSW @ 0x0034: Rw<connsw::Connsw> = nvm (qemu 0);
    /// Management's EEPROM control: the PHY of a port was set up from the NVM.
    EEMNGCTL @ 0x1010: Ro<eemngctl::Eemngctl> = nvm (qemu 0x8000_0000), dumped;
    /// Command on the I2C bus of an SFP module.
    I2CCMD @ 0x1028: Rw<i2ccmd::I2ccmd> = 0;
    /// Physical coding sublayer, configuration.
    PCS_CFG0 @ 0x4200: Rw<pcs_cfg::PcsCfg> = nvm (qemu 0);
    /// Physical coding sublayer, link control.
    PCS_LCTL @ 0x4208: Rw<pcs_lctl::PcsLctl> = nvm (qemu 0);
    /// Physical coding sublayer, link status.
    PCS_LSTAT @ 0x420c: Ro<pcs_lstat::PcsLstat> = 0;
    /// Auto-negotiation advertisement of 1000BASE-X.
    PCS_ANADV @ 0x4218: Rw<base_x::BaseX> = nvm (qemu 0);
    /// Link partner ability of 1000BASE-X.
    PCS_LPAB @ 0x421c: Ro<base_x::BaseX> = 0;
}

/// Value of [`SCTL`].
pub mod sctl {
    word!(Sctl);

    /// Ends a loopback of the SerDes, which reading does not show.
    pub const NO_LOOPBACK: Sctl = Sctl(0x0400);
}

/// Bits of [`CONNSW`].
pub mod connsw {
    use super::super::bit;

    word!(Connsw);

    /// A signal is told by the energy the SerDes detects.
    pub const ENRGSRC: Connsw = Connsw(bit(2));
}

/// Bits of [`EEMNGCTL`].
pub mod eemngctl {
    use super::super::bit;

    word!(Eemngctl);

    /// The PHY of `port` (0..=3) was set up from the NVM.
    #[must_use]
    pub const fn config_done(port: u32) -> Eemngctl {
        Eemngctl(bit(18 + (port & 3)))
    }
}

/// Fields of [`I2CCMD`]. The two bytes of a 16-bit word are the other way round than on MDIO.
pub mod i2ccmd {
    use super::super::bit;

    word!(I2ccmd);

    /// The command is done.
    pub const READY: I2ccmd = I2ccmd(bit(29));
    /// Nobody has answered.
    pub const ERROR: I2ccmd = I2ccmd(bit(31));

    const READ: I2ccmd = I2ccmd(bit(27));

    /// Command that reads the word of the device `device` (0..=7) at `address`.
    #[must_use]
    pub const fn read(device: u8, address: u8) -> I2ccmd {
        READ.or(place(device, address))
    }

    /// Command that writes `value` to the device `device` (1..=7; 0 is the memory of a module) at
    /// `address`.
    #[must_use]
    pub const fn write(device: u8, address: u8, value: u16) -> I2ccmd {
        place(device, address).or(I2ccmd(value.swap_bytes() as u32))
    }

    /// Command that reads the byte at `address` of a module's memory: its identification is at 0..=255,
    /// its diagnosis at 256..=511.
    #[must_use]
    pub const fn read_module(address: u16) -> I2ccmd {
        READ.or(I2ccmd(((address & 0x1ff) as u32) << 16))
    }

    const fn place(device: u8, address: u8) -> I2ccmd {
        I2ccmd((((device & 7) as u32) << 24) | ((address as u32) << 16))
    }

    /// The word that was read, once [`READY`] is set and [`ERROR`] is not.
    #[must_use]
    pub const fn data(command: I2ccmd) -> u16 {
        ((command.0 & 0xffff) as u16).swap_bytes()
    }

    /// The byte that was read of a module's memory.
    #[must_use]
    pub const fn byte(command: I2ccmd) -> u8 {
        (command.0 & 0xff) as u8
    }
}

/// Bits of [`PCS_CFG0`].
pub mod pcs_cfg {
    use super::super::bit;

    word!(PcsCfg);

    /// The sublayer works.
    pub const PCS_EN: PcsCfg = PcsCfg(bit(3));
}

/// Bits of [`PCS_LCTL`].
pub mod pcs_lctl {
    use super::super::bit;

    word!(PcsLctl);

    /// A forced link is up.
    pub const FLV_UP: PcsLctl = PcsLctl(bit(0));
    /// A forced speed is 1000 Mb/s.
    pub const FSV_1000: PcsLctl = PcsLctl(bit(2));
    /// A forced duplex is full.
    pub const FDV_FULL: PcsLctl = PcsLctl(bit(3));
    /// Speed and duplex are forced.
    pub const FSD: PcsLctl = PcsLctl(bit(4));
    /// The link is forced.
    pub const FORCE_LINK: PcsLctl = PcsLctl(bit(5));
    /// Pause is what `CTRL` says.
    pub const FORCE_FC: PcsLctl = PcsLctl(bit(7));
    /// Negotiates (IEEE 802.3 clause 37).
    pub const AN_ENABLE: PcsLctl = PcsLctl(bit(16));
    /// Negotiates anew; self-clearing.
    pub const AN_RESTART: PcsLctl = PcsLctl(bit(17));
    /// Takes a partner that does not negotiate for one that has.
    pub const AN_TIMEOUT: PcsLctl = PcsLctl(bit(18));
}

/// Bits of [`PCS_LSTAT`].
pub mod pcs_lstat {
    use super::super::bit;

    word!(PcsLstat);

    /// The link is up.
    pub const LINK_OK: PcsLstat = PcsLstat(bit(0));
    /// Speed is 100 Mb/s.
    pub const SPEED_100: PcsLstat = PcsLstat(bit(1));
    /// Speed is 1000 Mb/s.
    pub const SPEED_1000: PcsLstat = PcsLstat(bit(2));
    /// Full duplex.
    pub const FULL_DUPLEX: PcsLstat = PcsLstat(bit(3));
    /// Both ends are synchronized.
    pub const SYNC_OK: PcsLstat = PcsLstat(bit(4));
    /// The negotiation has ended.
    pub const AN_COMPLETE: PcsLstat = PcsLstat(bit(16));
}

/// Bits of [`PCS_ANADV`] and [`PCS_LPAB`] (IEEE 802.3 clause 37).
pub mod base_x {
    use super::super::bit;

    word!(BaseX);

    /// Full duplex.
    pub const FULL_DUPLEX: BaseX = BaseX(bit(5));
    /// Symmetric pause.
    pub const PAUSE: BaseX = BaseX(bit(7));
    /// Asymmetric pause.
    pub const ASYM_PAUSE: BaseX = BaseX(bit(8));
}

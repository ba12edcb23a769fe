// SPDX-License-Identifier: GPL-2.0

//! Device control, status, NVM, flow control, LED, wake-up and semaphores.

registers! {
    /// Device Control.
    CTRL @ 0x0000: Rw<ctrl::Ctrl> = nvm (qemu 0x0010_0209), dumped;
    /// Device Status.
    STATUS @ 0x0008: Ro<status::Status> = nvm (qemu 0x8008_0481), dumped;
    /// EEPROM/flash control.
    EECD @ 0x0010: Rw<eecd::Eecd> = nvm (qemu 0x1110), dumped;
    /// EEPROM read.
    EERD @ 0x0014: Rw<eerd::Eerd> = 0;
    /// Extended Device Control.
    CTRL_EXT @ 0x0018: Rw<ctrl_ext::CtrlExt> = nvm (qemu 0), dumped;
    /// MDI control: access to PHY registers.
    MDIC @ 0x0020: Rw<mdic::Mdic> = 0, dumped;
    /// Flow control address, low.
    FCAL @ 0x0028: Rw<flow_control::Fcal> = 0, dumped;
    /// Flow control address, high.
    FCAH @ 0x002c: Rw<flow_control::Fcah> = 0, dumped;
    /// Flow control EtherType.
    FCT @ 0x0030: Rw<flow_control::Fct> = 0, dumped;
    /// VLAN EtherType.
    VET @ 0x0038: Rw<vet::Vet> = 0x8100_8100, dumped;
    /// Flow control transmit timer value.
    FCTTV @ 0x0170: Rw<flow_control::Fcttv> = 0, dumped;
    /// LED control.
    LEDCTL @ 0x0e00: Rw<ledctl::Ledctl> = nvm (qemu 0x0706_8302), dumped;
    /// Free-running timer: counts microseconds from a reset on.
    FRTIMER @ 0x1048: Ro<u32> = 0;
    /// Flow control receive threshold, low.
    FCRTL @ 0x2160: Rw<fcrtl::Fcrtl> = 0, dumped;
    /// Flow control receive threshold, high.
    FCRTH @ 0x2168: Rw<u32> = 0, dumped;
    /// Flow control refresh timer value.
    FCRTV @ 0x2460: Rw<u32> = 0, dumped;
    /// Wake-up control.
    WUC @ 0x5800: Rw<wuc::Wuc> = nvm (qemu 0), dumped;
    /// Wake-up filter control.
    WUFC @ 0x5808: Rw<wufc::Wufc> = 0, dumped;
    /// Wake-up status.
    WUS @ 0x5810: W1c<u32> = 0, dumped;
    /// Management control.
    MANC @ 0x5820: Rw<manc::Manc> = nvm (qemu 0), dumped;
    /// PCIe control.
    GCR @ 0x5b00: Rw<gcr::Gcr> = nvm (qemu 0x0685_0200), dumped;
    /// Function active and power state.
    FACTPS @ 0x5b30: Ro<factps::Factps> = nvm (qemu 0), dumped;
    /// Software semaphore.
    SWSM @ 0x5b50: Rs<swsm::Swsm> = 0;
    /// Firmware semaphore.
    FWSM @ 0x5b54: Rw<fwsm::Fwsm> = nvm (qemu 0), dumped;
    /// Software-firmware synchronization.
    SW_FW_SYNC @ 0x5b5c: Rw<sw_fw_sync::SwFwSync> = 0;
}

/// Bits of [`CTRL`].
pub mod ctrl {
    use super::super::bit;

    word!(Ctrl);

    /// Full duplex (forced mode).
    pub const FD: Ctrl = Ctrl(bit(0));
    /// Block new PCIe master requests; wait for `STATUS.GIO_MASTER_ENABLE` to drop.
    pub const GIO_MASTER_DISABLE: Ctrl = Ctrl(bit(2));
    /// Set link up.
    pub const SLU: Ctrl = Ctrl(bit(6));
    /// Forced speed: 100 Mb/s.
    pub const SPD_100: Ctrl = Ctrl(bit(8));
    /// Forced speed: 1000 Mb/s.
    pub const SPD_1000: Ctrl = Ctrl(bit(9));
    /// Force speed.
    pub const FRCSPD: Ctrl = Ctrl(bit(11));
    /// Force duplex.
    pub const FRCDPX: Ctrl = Ctrl(bit(12));
    /// Software-defined pin 0. A SerDes link needs it high, as far as is known.
    pub const SDP0: Ctrl = Ctrl(bit(18));
    /// Software-defined pin 1. The same.
    pub const SDP1: Ctrl = Ctrl(bit(19));
    /// Advertise wake-up from D3cold.
    pub const ADVD3WUC: Ctrl = Ctrl(bit(20));
    /// Port reset; self-clearing. Wait at least 1 ms before the next access.
    pub const RST: Ctrl = Ctrl(bit(26));
    /// Obey received PAUSE frames.
    pub const RFCE: Ctrl = Ctrl(bit(27));
    /// Send PAUSE frames.
    pub const TFCE: Ctrl = Ctrl(bit(28));
    /// VLAN mode: strip tags when pools are not in use.
    pub const VME: Ctrl = Ctrl(bit(30));
    /// Resets the PHY while it is set.
    pub const PHY_RST: Ctrl = Ctrl(bit(31));
}

/// Bits of [`STATUS`].
pub mod status {
    use super::super::bit;

    word!(Status);

    /// Full duplex.
    pub const FD: Status = Status(bit(0));
    /// Link up.
    pub const LU: Status = Status(bit(1));
    /// Speed is 100 Mb/s.
    pub const SPEED_100: Status = Status(bit(6));
    /// Speed is 1000 Mb/s.
    pub const SPEED_1000: Status = Status(bit(7));
    /// Master requests are enabled.
    pub const GIO_MASTER_ENABLE: Status = Status(bit(19));

    /// PCI function number of this port, 0..=3.
    #[must_use]
    pub const fn lan_id(status: Status) -> u32 {
        (status.0 >> 2) & 0x3
    }
}

/// Bits of [`CTRL_EXT`].
pub mod ctrl_ext {
    use super::super::bit;

    word!(CtrlExt);

    /// Software-defined pin 3. High: an SFP cage has no power, and its laser is off.
    pub const SDP3: CtrlExt = CtrlExt(bit(7));
    /// The link, by the two bits of [`LINK_MODE`]: the internal copper PHY.
    pub const COPPER: CtrlExt = CtrlExt(0);
    /// The same: 1000BASE-KX, a backplane.
    pub const KX: CtrlExt = CtrlExt(bit(22));
    /// The same: SGMII, an external PHY.
    pub const SGMII: CtrlExt = CtrlExt(bit(23));
    /// The same: SerDes, which is 1000BASE-X.
    pub const SERDES: CtrlExt = CtrlExt(bit(22) | bit(23));
    /// What the link is behind.
    pub const LINK_MODE: CtrlExt = SERDES;
    /// The I2C bus of an SFP cage is used.
    pub const I2C_ENA: CtrlExt = CtrlExt(bit(25));
    /// PF reset done: tells the VFs that the PF serves their mailbox again. Write-only pulse.
    pub const PFRSTD: CtrlExt = CtrlExt(bit(14));
    /// A driver is loaded: firmware keeps off.
    pub const DRV_LOAD: CtrlExt = CtrlExt(bit(28));
}

/// Bits of [`EECD`].
pub mod eecd {
    use super::super::bit;

    word!(Eecd);

    /// The device has loaded its defaults from the EEPROM.
    pub const AUTO_RD: Eecd = Eecd(bit(9));

    /// EEPROM words that can be read (by [`EERD`](super::EERD)): 16 bits each, at most 16384. `None`
    /// for a size code the device does not have.
    #[must_use]
    pub const fn words(eecd: Eecd) -> Option<u32> {
        let code = (eecd.0 >> 11) & 0xf;
        // 64 words times two to the code.
        match code {
            0..=8 => Some(64 << code),
            // Twice as many as there are address bits for.
            9 => Some(64 << 8),
            _ => None,
        }
    }
}

/// Fields of [`EERD`].
pub mod eerd {
    use super::super::bit;

    word!(Eerd);

    /// Start a read.
    pub const START: Eerd = Eerd(bit(0));
    /// Read done.
    pub const DONE: Eerd = Eerd(bit(1));

    /// Command that reads word `word` (0..=0x3fff).
    #[must_use]
    pub const fn read(word: u16) -> Eerd {
        Eerd(((word & 0x3fff) as u32) << 2).or(START)
    }

    /// The word that was read, once [`DONE`] is set.
    #[must_use]
    pub const fn data(eerd: Eerd) -> u16 {
        // The shift leaves 16 bits.
        (eerd.0 >> 16) as u16
    }
}

/// Fields of [`MDIC`].
pub mod mdic {
    use super::super::bit;

    word!(Mdic);

    /// The operation is complete.
    pub const READY: Mdic = Mdic(bit(28));
    /// No such PHY or register.
    pub const ERROR: Mdic = Mdic(bit(30));
    /// The bus is that of an external PHY.
    pub const EXTERNAL: Mdic = Mdic(bit(31));
    /// MDI address of the internal PHY.
    pub const PHY_ADDR: u8 = 1;

    const OP_WRITE: Mdic = Mdic(bit(26));
    const OP_READ: Mdic = Mdic(bit(27));

    const fn address(phy: u8, reg: u8) -> Mdic {
        Mdic((((phy & 0x1f) as u32) << 21) | (((reg & 0x1f) as u32) << 16))
    }

    /// Command that reads PHY register `reg` (0..=31).
    #[must_use]
    pub const fn read(phy: u8, reg: u8) -> Mdic {
        OP_READ.or(address(phy, reg))
    }

    /// Command that writes `value` to PHY register `reg` (0..=31).
    #[must_use]
    pub const fn write(phy: u8, reg: u8, value: u16) -> Mdic {
        OP_WRITE.or(address(phy, reg)).or(Mdic(value as u32))
    }

    /// The value that was read, once [`READY`] is set and [`ERROR`] is not.
    #[must_use]
    pub const fn data(mdic: Mdic) -> u16 {
        (mdic.0 & 0xffff) as u16
    }

    /// The MDI address that is set, 0..=31: before the first command, that of an external PHY.
    #[must_use]
    pub const fn phy(mdic: Mdic) -> u8 {
        // The mask leaves five bits.
        ((mdic.0 >> 21) & 0x1f) as u8
    }
}

/// Bits of [`MANC`].
pub mod manc {
    use super::super::bit;

    word!(Manc);

    /// Management is behind SMBus.
    pub const SMBUS_EN: Manc = Manc(bit(0));
    /// Alert standard format, which receives nothing.
    pub const ASF_EN: Manc = Manc(bit(1));
    /// Management receives frames.
    pub const RCV_TCO_EN: Manc = Manc(bit(17));
    /// The PHY is not to be reset.
    pub const BLOCK_PHY_RESET: Manc = Manc(bit(18));
}

/// Bits of [`FACTPS`].
pub mod factps {
    use super::super::bit;

    word!(Factps);

    /// Management's clock is off.
    pub const MNGCG: Factps = Factps(bit(29));
}

/// Fields of [`FWSM`].
pub mod fwsm {
    word!(Fwsm);

    /// What firmware does: it has no mode, or none runs.
    pub const MODE_NONE: Fwsm = Fwsm(0);
    /// The same: frames are passed through to management.
    pub const MODE_PASS_THROUGH: Fwsm = Fwsm(2 << 1);
    /// The bits of the mode.
    pub const MODE: Fwsm = Fwsm(7 << 1);
}

/// Bits of [`GCR`].
pub mod gcr {
    use super::super::bit;

    word!(Gcr);

    /// Completion timeout, of a function without version 2 capabilities; 0: the default, 50 us to 50 ms.
    pub const TIMEOUT: Gcr = Gcr(0xf000);
    /// The same: 10 to 200 ms.
    pub const TIMEOUT_10_MS: Gcr = Gcr(bit(12));
    /// Sends a request again whose completion has not come in time.
    pub const RESEND: Gcr = Gcr(bit(16));
    /// The capabilities are of version 2: Device Control 2 has the timeout.
    pub const CAP_VER2: Gcr = Gcr(bit(18));
}

/// The flow control frame the device recognizes: 01:80:c2:00:00:01, EtherType 0x8808.
pub mod flow_control {
    word!(Fcal);
    word!(Fcah);
    word!(Fct);
    word!(Fcttv);

    /// Value of `FCAL`.
    pub const ADDRESS_LOW: Fcal = Fcal(0x00c2_8001);
    /// Value of `FCAH`.
    pub const ADDRESS_HIGH: Fcah = Fcah(0x0000_0100);
    /// Value of `FCT`.
    pub const TYPE: Fct = Fct(0x8808);
    /// Pause time in `FCTTV`, in units of 512 bit times: the maximum.
    pub const PAUSE_TIME: Fcttv = Fcttv(0xffff);
}

/// Bits of [`FCRTL`].
pub mod fcrtl {
    use super::super::bit;

    word!(Fcrtl);

    /// Send XON when the packet buffer drains.
    pub const XONE: Fcrtl = Fcrtl(bit(31));

    /// Send XON below this level of the packet buffer, in bytes: a multiple of 16 below 64 KiB.
    #[must_use]
    pub const fn threshold(bytes: u32) -> Fcrtl {
        Fcrtl(bytes & 0xfff0)
    }
}

/// Value of [`VET`]: both tags are 802.1Q.
pub mod vet {
    word!(Vet);

    /// 802.1Q as outer and inner EtherType.
    pub const DOT1Q: Vet = Vet(0x8100_8100);
}

/// Bits of [`SWSM`].
pub mod swsm {
    use super::super::bit;

    word!(Swsm);

    /// Taken by the driver that reads it as zero.
    pub const SMBI: Swsm = Swsm(bit(0));
    /// Software holds the semaphore it shares with firmware.
    pub const SWESMBI: Swsm = Swsm(bit(1));
}

/// Bits of [`SW_FW_SYNC`]: resources software holds in bits 15:0, firmware in bits 31:16.
pub mod sw_fw_sync {
    use super::super::bit;

    word!(SwFwSync);

    /// EEPROM.
    pub const EEP: SwFwSync = SwFwSync(bit(0));
    /// PHY of port 0.
    pub const PHY0: SwFwSync = SwFwSync(bit(1));
    /// PHY of port 1.
    pub const PHY1: SwFwSync = SwFwSync(bit(2));

    /// The bit firmware sets for the same resource.
    #[must_use]
    pub const fn firmware(resource: SwFwSync) -> SwFwSync {
        SwFwSync(resource.0.wrapping_shl(16))
    }
}

/// Bits of [`WUC`].
pub mod wuc {
    use super::super::bit;

    word!(Wuc);

    /// Assert PME on wake-up.
    pub const PME_EN: Wuc = Wuc(bit(1));
}

/// Bits of [`WUFC`].
pub mod wufc {
    use super::super::bit;

    word!(Wufc);

    /// Wake on link change.
    pub const LNKC: Wufc = Wufc(bit(0));
    /// Wake on magic packet.
    pub const MAG: Wufc = Wufc(bit(1));
    /// Wake on directed unicast.
    pub const EX: Wufc = Wufc(bit(2));
    /// Wake on multicast.
    pub const MC: Wufc = Wufc(bit(3));
    /// Wake on broadcast.
    pub const BC: Wufc = Wufc(bit(4));
    /// All of them.
    pub const ALL: Wufc = LNKC.or(MAG).or(EX).or(MC).or(BC);
}

/// Fields of [`LEDCTL`]: four LEDs, eight bits each.
pub mod ledctl {
    word!(Ledctl);

    /// LED mode field value: on.
    pub const MODE_LED_ON: u32 = 0xe;
    /// LED mode field value: off.
    pub const MODE_LED_OFF: u32 = 0xf;
    /// Blink, within one LED's eight bits.
    pub const BLINK: u32 = 0x80;

    /// Returns `ledctl` with the eight bits of LED `led` (0..=3) replaced by `value`.
    #[must_use]
    pub const fn with_led(ledctl: Ledctl, led: u32, value: u32) -> Ledctl {
        let shift = (led & 3) * 8;
        Ledctl((ledctl.0 & !(0xff << shift)) | ((value & 0xff) << shift))
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Device control, status, NVM, flow control, LED, wake-up and semaphores.

/// Device Control.
pub const CTRL: u32 = 0x0000;
/// Device Status (read-only).
pub const STATUS: u32 = 0x0008;
/// EEPROM/flash control.
pub const EECD: u32 = 0x0010;
/// EEPROM read.
pub const EERD: u32 = 0x0014;
/// Extended Device Control.
pub const CTRL_EXT: u32 = 0x0018;
/// MDI control: access to PHY registers.
pub const MDIC: u32 = 0x0020;
/// Flow control address, low.
pub const FCAL: u32 = 0x0028;
/// Flow control address, high.
pub const FCAH: u32 = 0x002c;
/// Flow control EtherType.
pub const FCT: u32 = 0x0030;
/// VLAN EtherType.
pub const VET: u32 = 0x0038;
/// Flow control transmit timer value.
pub const FCTTV: u32 = 0x0170;
/// LED control.
pub const LEDCTL: u32 = 0x0e00;
/// EEPROM management control.
pub const EEMNGCTL: u32 = 0x1010;
/// Flow control receive threshold, low.
pub const FCRTL: u32 = 0x2160;
/// Flow control receive threshold, high.
pub const FCRTH: u32 = 0x2168;
/// Flow control refresh timer value.
pub const FCRTV: u32 = 0x2460;
/// Wake-up control.
pub const WUC: u32 = 0x5800;
/// Wake-up filter control.
pub const WUFC: u32 = 0x5808;
/// Wake-up status, W1C.
pub const WUS: u32 = 0x5810;
/// Management control.
pub const MANC: u32 = 0x5820;
/// PCIe control.
pub const GCR: u32 = 0x5b00;
/// Function active and power state.
pub const FACTPS: u32 = 0x5b30;
/// Software semaphore.
pub const SWSM: u32 = 0x5b50;
/// Firmware semaphore.
pub const FWSM: u32 = 0x5b54;
/// Software-firmware synchronization.
pub const SW_FW_SYNC: u32 = 0x5b5c;

/// Bits of [`CTRL`].
pub mod ctrl {
    use super::super::bit;

    /// Full duplex (forced mode).
    pub const FD: u32 = bit(0);
    /// Block new PCIe master requests; wait for `STATUS.GIO_MASTER_ENABLE` to drop.
    pub const GIO_MASTER_DISABLE: u32 = bit(2);
    /// Set link up.
    pub const SLU: u32 = bit(6);
    /// Forced speed: 100 Mb/s.
    pub const SPD_100: u32 = bit(8);
    /// Forced speed: 1000 Mb/s.
    pub const SPD_1000: u32 = bit(9);
    /// Force speed.
    pub const FRCSPD: u32 = bit(11);
    /// Force duplex.
    pub const FRCDPX: u32 = bit(12);
    /// Advertise wake-up from D3cold.
    pub const ADVD3WUC: u32 = bit(20);
    /// Port reset; self-clearing. Wait at least 1 ms before the next access.
    pub const RST: u32 = bit(26);
    /// Obey received PAUSE frames.
    pub const RFCE: u32 = bit(27);
    /// Send PAUSE frames.
    pub const TFCE: u32 = bit(28);
    /// VLAN mode: strip tags when pools are not in use.
    pub const VME: u32 = bit(30);
    /// PHY reset.
    pub const PHY_RST: u32 = bit(31);
}

/// Bits of [`STATUS`].
pub mod status {
    use super::super::bit;

    /// Full duplex.
    pub const FD: u32 = bit(0);
    /// Link up.
    pub const LU: u32 = bit(1);
    /// Transmission paused.
    pub const TXOFF: u32 = bit(4);
    /// Speed is 100 Mb/s.
    pub const SPEED_100: u32 = bit(6);
    /// Speed is 1000 Mb/s.
    pub const SPEED_1000: u32 = bit(7);
    /// PHY reset asserted.
    pub const PHYRA: u32 = bit(10);
    /// PCI virtual functions are enabled.
    pub const IOV_MODE: u32 = bit(18);
    /// Master requests are enabled.
    pub const GIO_MASTER_ENABLE: u32 = bit(19);

    /// PCI function number of this port, 0..=3.
    #[must_use]
    pub const fn lan_id(status: u32) -> u32 {
        (status >> 2) & 0x3
    }

    /// Number of VFs the PCI capability has enabled, 0..=8.
    #[must_use]
    pub const fn num_vfs(status: u32) -> u32 {
        (status >> 14) & 0xf
    }
}

/// Bits of [`CTRL_EXT`].
pub mod ctrl_ext {
    use super::super::bit;

    /// PF reset done: tells the VFs that the PF serves their mailbox again. Write-only pulse.
    pub const PFRSTD: u32 = bit(14);
    /// PHY power-down enable.
    pub const PHYPDEN: u32 = bit(20);
    /// Link mode field; zero selects the internal copper PHY.
    pub const LINK_MODE_MASK: u32 = bit(22) | bit(23);
    /// Extended interrupt auto mask enable (MSI and INTx).
    pub const EIAME: u32 = bit(24);
    /// Interrupt timers clear on an ICR read.
    pub const IRCA: u32 = bit(0);
    /// Two VLAN tags per frame.
    pub const EXTENDED_VLAN: u32 = bit(26);
    /// A driver is loaded: firmware keeps off.
    pub const DRV_LOAD: u32 = bit(28);
    /// PBA clear.
    pub const PBA_CLR: u32 = bit(31);
}

/// Bits of [`EECD`].
pub mod eecd {
    use super::super::bit;

    /// Software requests SPI access.
    pub const REQ: u32 = bit(6);
    /// SPI access granted.
    pub const GNT: u32 = bit(7);
    /// An EEPROM is present.
    pub const PRES: u32 = bit(8);
    /// The device has loaded its defaults from the EEPROM.
    pub const AUTO_RD: u32 = bit(9);

    /// EEPROM words that can be read (by [`EERD`](super::EERD)): 16 bits each, at most 16384. `None`
    /// for a size code the device does not have.
    #[must_use]
    pub const fn words(eecd: u32) -> Option<u32> {
        let code = (eecd >> 11) & 0xf;
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

    /// Start a read.
    pub const START: u32 = bit(0);
    /// Read done.
    pub const DONE: u32 = bit(1);

    /// Command that reads word `word` (0..=0x3fff).
    #[must_use]
    pub const fn read(word: u16) -> u32 {
        (((word & 0x3fff) as u32) << 2) | START
    }

    /// The word that was read, once [`DONE`] is set.
    #[must_use]
    pub const fn data(eerd: u32) -> u16 {
        // The shift leaves 16 bits.
        (eerd >> 16) as u16
    }
}

/// Fields of [`MDIC`].
pub mod mdic {
    use super::super::bit;

    /// The operation is complete.
    pub const READY: u32 = bit(28);
    /// Raise `ICR.MDAC` on completion.
    pub const INT_EN: u32 = bit(29);
    /// No such PHY or register.
    pub const ERROR: u32 = bit(30);
    /// MDI address of the internal PHY.
    pub const PHY_ADDR: u8 = 1;

    const OP_WRITE: u32 = bit(26);
    const OP_READ: u32 = bit(27);

    const fn address(phy: u8, reg: u8) -> u32 {
        (((phy & 0x1f) as u32) << 21) | (((reg & 0x1f) as u32) << 16)
    }

    /// Command that reads PHY register `reg` (0..=31).
    #[must_use]
    pub const fn read(phy: u8, reg: u8) -> u32 {
        OP_READ | address(phy, reg)
    }

    /// Command that writes `value` to PHY register `reg` (0..=31).
    #[must_use]
    pub const fn write(phy: u8, reg: u8, value: u16) -> u32 {
        OP_WRITE | address(phy, reg) | value as u32
    }

    /// The value that was read, once [`READY`] is set and [`ERROR`] is not.
    #[must_use]
    pub const fn data(mdic: u32) -> u16 {
        (mdic & 0xffff) as u16
    }
}

/// The flow control frame the device recognizes: 01:80:c2:00:00:01, EtherType 0x8808.
pub mod flow_control {
    /// Value of `FCAL`.
    pub const ADDRESS_LOW: u32 = 0x00c2_8001;
    /// Value of `FCAH`.
    pub const ADDRESS_HIGH: u32 = 0x0000_0100;
    /// Value of `FCT`.
    pub const TYPE: u32 = 0x8808;
    /// Pause time in `FCTTV`, in units of 512 bit times: the maximum.
    pub const PAUSE_TIME: u32 = 0xffff;
}

/// Bits of [`FCRTL`].
pub mod fcrtl {
    use super::super::bit;

    /// Send XON when the packet buffer drains.
    pub const XONE: u32 = bit(31);
}

/// Value of [`VET`]: both tags are 802.1Q.
pub mod vet {
    /// 802.1Q as outer and inner EtherType.
    pub const DOT1Q: u32 = 0x8100_8100;
}

/// Bits of [`SWSM`].
pub mod swsm {
    use super::super::bit;

    /// Taken by the driver that reads it as zero.
    pub const SMBI: u32 = bit(0);
    /// Software holds the semaphore it shares with firmware.
    pub const SWESMBI: u32 = bit(1);
}

/// Bits of [`SW_FW_SYNC`]: resources software holds in bits 15:0, firmware in bits 31:16.
pub mod sw_fw_sync {
    use super::super::bit;

    /// EEPROM.
    pub const EEP: u32 = bit(0);
    /// PHY of port 0.
    pub const PHY0: u32 = bit(1);
    /// PHY of port 1.
    pub const PHY1: u32 = bit(2);

    /// The bit firmware sets for the same resource.
    #[must_use]
    pub const fn firmware(resource: u32) -> u32 {
        resource.wrapping_shl(16)
    }
}

/// Bits of [`MANC`].
pub mod manc {
    use super::super::bit;

    /// Management receives packets.
    pub const RCV_TCO_EN: u32 = bit(17);
    /// Firmware forbids a PHY reset.
    pub const BLK_PHY_RST_ON_IDE: u32 = bit(18);
}

/// Bits of [`WUC`].
pub mod wuc {
    use super::super::bit;

    /// Assert PME on wake-up.
    pub const PME_EN: u32 = bit(1);
}

/// Bits of [`WUFC`].
pub mod wufc {
    use super::super::bit;

    /// Wake on link change.
    pub const LNKC: u32 = bit(0);
    /// Wake on magic packet.
    pub const MAG: u32 = bit(1);
    /// Wake on directed unicast.
    pub const EX: u32 = bit(2);
    /// Wake on multicast.
    pub const MC: u32 = bit(3);
    /// Wake on broadcast.
    pub const BC: u32 = bit(4);
}

/// Fields of [`LEDCTL`]: four LEDs, eight bits each.
pub mod ledctl {
    /// LED mode field value: on.
    pub const MODE_LED_ON: u32 = 0xe;
    /// LED mode field value: off.
    pub const MODE_LED_OFF: u32 = 0xf;
    /// Blink, within one LED's eight bits.
    pub const BLINK: u32 = 0x80;

    /// Returns `ledctl` with the eight bits of LED `led` (0..=3) replaced by `value`.
    #[must_use]
    pub const fn with_led(ledctl: u32, led: u32, value: u32) -> u32 {
        let shift = (led & 3) * 8;
        (ledctl & !(0xff << shift)) | ((value & 0xff) << shift)
    }
}

// SPDX-License-Identifier: GPL-2.0

//! What is around the controller on a board: the PHY behind MDIC, an SFP module behind I2CCMD, and those it
//! shares both with, behind SWSM and SW_FW_SYNC. Offsets and bits are numbers, on purpose.
//!
//! Time passes while the driver waits, and a little with each access. Each fault is a field; the default
//! board has none. What no driver may do is noted in `broken_rules`.

use std::{
    cell::{
        Ref,
        RefCell,
        RefMut, //
    },
    collections::BTreeMap, //
};

use igb_core::{
    device::Device,
    regs::Registers, //
};

const CTRL: u32 = 0x0000;
const STATUS: u32 = 0x0008;
const CTRL_EXT: u32 = 0x0018;
const MDIC: u32 = 0x0020;
const EEMNGCTL: u32 = 0x1010;
const I2CCMD: u32 = 0x1028;
const SWSM: u32 = 0x5b50;
const SW_FW_SYNC: u32 = 0x5b5c;

const READY: u32 = 1 << 28;
const ERROR: u32 = 1 << 30;
const I2C_READY: u32 = 1 << 29;
const I2C_ERROR: u32 = 1 << 31;
const SDP3: u32 = 1 << 7;
const PHY_RST: u32 = 1 << 31;

/// Never.
pub const NEVER: u64 = u64::MAX;

/// A board, in microseconds.
#[derive(Clone, Debug)]
pub struct State {
    pub now: u64,
    pub registers: BTreeMap<u32, u32>,
    /// Registers 0 to 15, and those above of page 0.
    pub phy: [u16; 32],
    /// What is selected, by whoever was there before.
    pub page: u16,
    /// The address that answers on MDIO.
    pub phy_address: u32,
    /// How long an access to the PHY takes.
    pub mdic_takes: u64,
    /// The PHY answers accesses to this register with an error.
    pub refused: Option<u32>,
    /// The memory of the module, and the PHY in it with its address. No module: nothing answers.
    pub module: Option<Vec<u8>>,
    pub module_phy: Option<(u32, [u16; 32])>,
    /// The module answers from then on; so does an external PHY on MDIO.
    pub module_from: u64,
    /// How long either needs when the cage is given power (SDP3 falls).
    pub module_takes: u64,
    /// How long a command on I2C takes.
    pub i2c_takes: u64,
    /// The other port's driver has SWSM until then; firmware has it until then.
    pub smbi_until: u64,
    pub firmware_swsm_until: u64,
    /// Firmware has the PHY of port 0 until then; the other port's driver.
    pub firmware_phy_until: u64,
    pub other_phy_until: u64,
    /// Firmware takes the PHY for so long when it is free after a reset.
    pub firmware_phy_after_reset: u64,
    /// How long the PHY is set up after a reset, from when nobody has it.
    pub config_takes: u64,
    pub gone: bool,
    /// Accesses of registers until the slot of the card is reset.
    pub slot_reset_after: Option<u32>,
    /// Writes reach the controller with the next read, as bridges may hold them back for.
    pub posts_writes: bool,

    pub resets: Vec<u64>,
    pub broken_rules: Vec<String>,

    posted: Vec<(u32, u32)>,
    mdic: (u32, u64),
    i2c: (u32, u64),
    smbi: bool,
    swesmbi: bool,
    sync: u32,
    reset_at: Option<u64>,
    quiet_until: u64,
    awaits_config: bool,
    configured_at: u64,
}

fn powered_on() -> BTreeMap<u32, u32> {
    BTreeMap::from([(STATUS, 0x8008_0481)])
}

fn phy_powered_on() -> [u16; 32] {
    let mut phy = [0; 32];
    (phy[0], phy[2], phy[3]) = (0x1140, 0x02a8, 0x0391);
    (phy[4], phy[9]) = (0x0de1, 0x0f00);
    // Low power link-up in D0, and SmartSpeed.
    (phy[16], phy[25]) = (0x01a0, 0x008f);
    phy
}

/// A board, as the driver sees it.
pub struct Board(RefCell<State>);

impl Board {
    /// A board without a fault, port 0, with its PHY after power-on.
    pub fn new() -> Self {
        Self(RefCell::new(State {
            now: 0,
            registers: powered_on(),
            phy: phy_powered_on(),
            page: 0,
            phy_address: 1,
            mdic_takes: 64,
            refused: None,
            module: None,
            module_phy: None,
            module_from: 0,
            module_takes: 300_000,
            i2c_takes: 300,
            smbi_until: 0,
            firmware_swsm_until: 0,
            firmware_phy_until: 0,
            other_phy_until: 0,
            firmware_phy_after_reset: 0,
            config_takes: 5000,
            gone: false,
            slot_reset_after: None,
            posts_writes: false,
            resets: Vec::new(),
            broken_rules: Vec::new(),
            posted: Vec::new(),
            mdic: (0, 0),
            i2c: (0, 0),
            smbi: false,
            swesmbi: false,
            sync: 0,
            reset_at: None,
            quiet_until: 0,
            awaits_config: false,
            configured_at: NEVER,
        }))
    }

    /// A board with `change`.
    pub fn with(change: impl FnOnce(&mut State)) -> Self {
        let board = Self::new();
        change(&mut board.state_mut());
        board
    }

    pub fn state(&self) -> Ref<'_, State> {
        self.0.borrow()
    }

    pub fn state_mut(&self) -> RefMut<'_, State> {
        self.0.borrow_mut()
    }

    /// A register that is plain storage.
    pub fn register(&self, offset: u32) -> u32 {
        *self.state().registers.get(&offset).unwrap_or(&0)
    }

    /// Whoever shares something has it back, and no rule was broken.
    pub fn is_left_tidy(&self) -> bool {
        let state = self.state();
        assert_eq!(state.broken_rules, Vec::<String>::new());
        !state.smbi && !state.swesmbi && state.sync == 0
    }
}

impl State {
    /// One more access of a register, of which some resets the slot: controller and PHY are as after
    /// power-on, and so is who has what.
    fn count_access(&mut self) {
        self.now += 1;
        let Some(left) = &mut self.slot_reset_after else {
            return;
        };
        if *left > 0 {
            *left -= 1;
            return;
        }
        self.slot_reset_after = None;
        self.registers = powered_on();
        self.phy = phy_powered_on();
        (self.page, self.sync, self.smbi, self.swesmbi) = (0, 0, false, false);
        (self.mdic, self.i2c) = ((0, 0), (0, 0));
        (self.reset_at, self.quiet_until, self.awaits_config) = (None, 0, false);
        self.configured_at = self.now.saturating_add(self.config_takes);
        self.posted.clear();
    }

    fn broken(&mut self, rule: &str) {
        let told = format!("{rule}, at {} us", self.now);
        self.broken_rules.push(told);
    }

    /// The right to the PHY and to I2C.
    fn check_right(&mut self, what: &str) {
        if self.sync & 2 == 0 {
            self.broken(&format!("{what} without the semaphore of the PHY"));
        }
        if self.now < self.quiet_until {
            self.broken(&format!("{what} during a reset of the PHY"));
        }
    }

    fn is_module_up(&self) -> bool {
        self.registers.get(&CTRL_EXT).unwrap_or(&0) & SDP3 == 0 && self.now >= self.module_from
    }

    fn write_ctrl_ext(&mut self, value: u32) {
        let before = self.registers.insert(CTRL_EXT, value).unwrap_or(0);
        if before & SDP3 != 0 && value & SDP3 == 0 {
            self.module_from = self.module_from.max(self.now + self.module_takes);
        }
    }

    fn sync_word(&self) -> u32 {
        let mut word = self.sync;
        if self.now < self.firmware_phy_until {
            word |= 2 << 16;
        }
        if self.now < self.other_phy_until {
            word |= 2;
        }
        word
    }

    fn command_mdic(&mut self, value: u32) {
        self.check_right("MDIC");
        if self.now < self.mdic.1 && self.mdic.1 != NEVER {
            self.broken("MDIC before the last command was done");
        }
        let (register, phy) = (value >> 16 & 0x1f, value >> 21 & 0x1f);
        let done = self.now.saturating_add(self.mdic_takes);
        let mut answer = value | READY;
        let answers = self.phy_address == 1 || self.is_module_up();
        if phy != self.phy_address || self.refused == Some(register) || !answers {
            answer |= ERROR;
        } else if value & 1 << 26 != 0 {
            self.write_phy(register, value as u16);
        } else {
            answer = answer & !0xffff | u32::from(self.read_phy(register));
        }
        self.mdic = (answer, done);
    }

    fn is_on_other_page(&self, register: u32) -> bool {
        self.phy_address == 1 && register > 15 && register != 31 && self.page & !0x1f != 0
    }

    fn write_phy(&mut self, register: u32, value: u16) {
        if self.is_on_other_page(register) {
            self.broken(&format!("register {register} of page {:#x}", self.page));
            return;
        }
        match register {
            31 => self.page = value,
            // The bits that clear themselves.
            0 => self.phy[0] = value & !0x8200,
            _ => self.phy[register as usize] = value,
        }
    }

    fn read_phy(&self, register: u32) -> u16 {
        if self.is_on_other_page(register) {
            return 0xdead;
        }
        self.phy[register as usize]
    }

    fn command_i2c(&mut self, value: u32) {
        self.check_right("I2CCMD");
        let (device, address) = (value >> 24 & 7, value >> 16 & 0xff);
        let done = self.now.saturating_add(self.i2c_takes);
        let is_read = value & 1 << 27 != 0;
        let present = self.is_module_up();
        // The memory of a module is devices 0 and 1 to the command that reads bytes.
        let byte = self
            .module
            .as_ref()
            .filter(|_| present && is_read)
            .and_then(|m| m.get((value >> 16 & 0x1ff) as usize).copied());
        let answer = match (&mut self.module_phy, byte) {
            (Some((at, phy)), _) if present && *at == device && device != 0 => {
                let register = address as usize & 0x1f;
                if is_read {
                    I2C_READY | u32::from(phy[register].swap_bytes())
                } else {
                    let word = (value as u16).swap_bytes();
                    phy[register] = if register == 0 { word & !0x8200 } else { word };
                    I2C_READY
                }
            }
            (_, Some(byte)) if value >> 25 & 3 == 0 => I2C_READY | u32::from(byte),
            _ => I2C_READY | I2C_ERROR,
        };
        if !is_read && device == 0 {
            self.broken("a write to the memory of a module");
        }
        self.i2c = (answer, done);
    }

    fn write_ctrl(&mut self, value: u32) {
        let before = *self.registers.get(&CTRL).unwrap_or(&0);
        if value & PHY_RST != 0 && before & PHY_RST == 0 {
            self.check_right("a reset of the PHY");
            self.reset_at = Some(self.now);
            self.quiet_until = NEVER;
        }
        if value & PHY_RST == 0 {
            if let Some(begun) = self.reset_at.take() {
                self.resets.push(self.now - begun);
                self.quiet_until = self.now + 150;
                self.awaits_config = true;
                self.configured_at = NEVER;
                self.page = 0;
            }
        }
        self.registers.insert(CTRL, value);
    }

    fn write(&mut self, offset: u32, value: u32) {
        match offset {
            MDIC => self.command_mdic(value),
            I2CCMD => self.command_i2c(value),
            CTRL => self.write_ctrl(value),
            CTRL_EXT => self.write_ctrl_ext(value),
            SWSM => {
                self.smbi = value & 1 != 0;
                let free = self.now >= self.firmware_swsm_until;
                self.swesmbi = value & 2 != 0 && free;
            }
            SW_FW_SYNC => {
                if !self.swesmbi {
                    self.broken("SW_FW_SYNC without SWSM");
                }
                self.sync = value & 0xffff;
                if self.now < self.other_phy_until {
                    self.sync &= !2;
                }
                if self.sync & 2 == 0 && self.now < self.quiet_until {
                    self.broken("the PHY given back during its reset");
                }
                if self.sync & 2 == 0 && std::mem::take(&mut self.awaits_config) {
                    self.configured_at = self.now.saturating_add(self.config_takes);
                    let firmware_has_it = self.firmware_phy_after_reset;
                    self.firmware_phy_until = self.now.saturating_add(firmware_has_it);
                }
            }
            _ => {
                self.registers.insert(offset, value);
            }
        }
    }
}

impl Registers for Board {
    fn read_at(&self, offset: u32) -> u32 {
        let mut state = self.state_mut();
        state.count_access();
        if state.gone {
            return 0;
        }
        for (posted, value) in std::mem::take(&mut state.posted) {
            state.write(posted, value);
        }
        match offset {
            MDIC => {
                let (answer, done) = state.mdic;
                if state.now >= done {
                    answer
                } else {
                    answer & !READY
                }
            }
            I2CCMD => {
                let (answer, done) = state.i2c;
                if state.now >= done {
                    answer
                } else {
                    answer & !(I2C_READY | I2C_ERROR)
                }
            }
            SWSM => {
                // Reading takes it.
                let taken = state.smbi || state.now < state.smbi_until;
                state.smbi = true;
                u32::from(taken) | u32::from(state.swesmbi) << 1
            }
            SW_FW_SYNC => state.sync_word(),
            EEMNGCTL => u32::from(state.now >= state.configured_at) << 18,
            _ => *state.registers.get(&offset).unwrap_or(&0),
        }
    }

    fn write_at(&self, offset: u32, value: u32) {
        let mut state = self.state_mut();
        state.count_access();
        if state.gone {
            return;
        }
        if state.posts_writes {
            state.posted.push((offset, value));
        } else {
            state.write(offset, value);
        }
    }
}

impl Device for Board {
    fn pause(&self, us: u32) {
        self.state_mut().now += u64::from(us);
    }

    fn is_gone(&self) -> bool {
        self.state().gone
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The internal copper PHY, behind MDIC (datasheet 8.2.4; IEEE 802.3 clause 22 registers).

use crate::{
    hw::semaphore::{
        self,
        Resource, //
    },
    io::Io, //
};
use igb_core::{
    link::Advertise,
    link_config::{
        Crossover,
        Forced, //
    },
    regs::{
        self,
        anar::Anar,
        bmcr,
        mdic::{
            self,
            Mdic, //
        },
        PhyReg,
        Readable,
        Word,
        Writable, //
    }, //
};
use kernel::{
    prelude::*,
    time::Delta, //
};

/// How long one access over the serial MDIO bus may take (64 bits at 2.5 MHz are 26 us).
const TIMEOUT: Delta = Delta::from_millis(2);

/// The PHY, ours until this is dropped.
pub(crate) struct Phy<'a> {
    io: &'a Io,
    _held: semaphore::Held<'a>,
}

impl<'a> Phy<'a> {
    /// Takes the PHY. Sleeps, for up to a second.
    pub(crate) fn take(io: &'a Io) -> Result<Self> {
        Ok(Self {
            io,
            _held: semaphore::take(io, Self::resource(io))?,
        })
    }

    /// Takes the PHY if nobody has it. Sleeps, for milliseconds.
    pub(crate) fn try_take(io: &'a Io) -> Result<Self> {
        Ok(Self {
            io,
            _held: semaphore::try_take(io, Self::resource(io))?,
        })
    }

    fn resource(io: &Io) -> Resource {
        Resource::Phy(regs::status::lan_id(io.read(regs::STATUS)))
    }

    /// Reads a PHY register.
    pub(crate) fn read<V: Word<u16>>(&self, register: PhyReg<V, impl Readable>) -> Result<V> {
        let word = self.access(mdic::read(mdic::PHY_ADDR, register.number()))?;
        Ok(V::from_bits(word))
    }

    /// Writes a PHY register.
    pub(crate) fn write<V: Word<u16>>(
        &self,
        register: PhyReg<V, impl Writable>,
        value: V,
    ) -> Result {
        let command = mdic::write(mdic::PHY_ADDR, register.number(), value.bits());
        self.access(command)?;
        Ok(())
    }

    fn access(&self, command: Mdic) -> Result<u16> {
        self.io.write(regs::MDIC, command);
        let answer = self
            .io
            .wait(regs::MDIC, Delta::from_micros(50), TIMEOUT, |value| {
                value & mdic::READY != 0
            })?;
        if answer & mdic::ERROR != 0 {
            return Err(EIO);
        }
        Ok(mdic::data(answer))
    }

    /// Sets what is offered to the link partner and starts negotiating.
    pub(crate) fn negotiate(&self, advertise: &Advertise) -> Result {
        self.write(regs::ANAR, advertise.anar())?;
        let gbcr = self.read(regs::GBCR)?;
        self.write(regs::GBCR, advertise.gbcr(gbcr))?;
        self.write(
            regs::BMCR,
            bmcr::AN_ENABLE | bmcr::RESTART_AN | bmcr::FULL_DUPLEX | bmcr::SPEED_1000,
        )
    }

    /// Sets speed and duplex without negotiating.
    pub(crate) fn force(&self, forced: Forced) -> Result {
        self.write(regs::BMCR, forced.bmcr())
    }

    /// Sets the crossover of a link that is `forced` or negotiated.
    pub(crate) fn set_crossover(&self, crossover: Crossover, forced: bool) -> Result {
        let port_ctrl = self.read(regs::PORT_CTRL)?;
        self.write(regs::PORT_CTRL, crossover.port_ctrl(port_ctrl, forced))
    }

    /// Sends what is transmitted back to the MAC, at 1 Gb/s, until the link is negotiated.
    pub(crate) fn loop_back(&self) -> Result {
        self.write(
            regs::BMCR,
            bmcr::LOOPBACK | bmcr::FULL_DUPLEX | bmcr::SPEED_1000,
        )
    }

    /// What we and the link partner have offered each other (ANAR, ANLPAR).
    pub(crate) fn advertisements(&self) -> Result<(Anar, Anar)> {
        Ok((self.read(regs::ANAR)?, self.read(regs::ANLPAR)?))
    }

    /// Takes the link down, and the PHY to its lowest power.
    pub(crate) fn power_down(&self) -> Result {
        let bmcr = self.read(regs::BMCR)?;
        self.write(regs::BMCR, bmcr | bmcr::POWER_DOWN)
    }
}

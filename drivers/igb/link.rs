// SPDX-License-Identifier: GPL-2.0

//! The link: what is offered to the partner, and what came of it.

use core::cell::Cell;

use crate::{
    hw,
    io::Io, //
};
use igb_core::{
    device::Fault,
    frame::MAX_FRAME,
    link::{
        self,
        Change,
        Pause,
        Watermarks, //
    },
    link_config::{
        ctrl_negotiated,
        LinkConfig, //
    },
    media::{
        self,
        Media,
        Memory, //
    },
    pcs,
    phy::Phy,
    regs::{
        self,
        anar::Anar,
        fcrtl,
        flow_control,
        ledctl::{
            self,
            Ledctl, //
        },
        pbs, //
    }, //
};
use kernel::prelude::*;

/// The link of a port: desired and actual, with the registers and the PHY it is in.
pub(crate) struct PortLink {
    io: Io,
    /// LEDCTL as it was before the port was asked to show itself.
    ledctl: Ledctl,
    config: LinkConfig,
    /// What it is made of, and whether 1000BASE-X may be negotiated.
    media: Media,
    may_negotiate: bool,
    /// The PHY has to be brought up: not where it is ready as soon as it is there.
    brings_phy_up: bool,
    /// That was done, and what the PHY holds has not been lost since.
    is_phy_known: bool,
    /// SmartSpeed of the PHY was turned off, and is to be turned on again.
    smart_speed_taken: Cell<bool>,
    /// Negotiation was started after the last reset.
    started: bool,
    /// The failure to start has been logged.
    told: bool,
    state: Option<link::LinkStatus>,
    /// How often there was no link any more.
    downs: u64,
    /// Pause as negotiated; meaningful while the link is up.
    pause: Pause,
}

impl PortLink {
    /// A link of `media`. Whether 1000BASE-X may be negotiated on it, and whether its PHY has to be brought
    /// up, depends on the board.
    pub(crate) fn new(io: &Io, media: Media, may_negotiate: bool, brings_phy_up: bool) -> Self {
        Self {
            io: io.clone(),
            ledctl: Ledctl::ZERO,
            config: LinkConfig::DEFAULT,
            media,
            may_negotiate,
            brings_phy_up,
            is_phy_known: false,
            smart_speed_taken: Cell::new(false),
            started: false,
            told: false,
            state: None,
            downs: 0,
            pause: Pause::default(),
        }
    }

    /// What is wanted of the link.
    pub(crate) fn config(&self) -> &LinkConfig {
        &self.config
    }

    /// What the link is made of.
    pub(crate) fn media(&self) -> Media {
        self.media
    }

    /// Something is agreed on with the partner, as users see it.
    pub(crate) fn autoneg(&self) -> bool {
        let is_forced = self.config.forced.is_some();
        self.media.autoneg(self.may_negotiate, is_forced)
    }

    /// Changes what is wanted of the link; negotiates anew if the link is in use.
    ///
    /// # Errors
    ///
    /// Those of the PHY. What was wanted before still is.
    pub(crate) fn configure(&mut self, config: LinkConfig) -> Result {
        let before = self.config;
        self.config = config;
        self.renegotiate().inspect_err(|_| self.config = before)
    }

    /// Changes which directions shall pause. Only an agreement with the partner needs the link to be
    /// negotiated anew.
    pub(crate) fn configure_pause(&mut self, pause: Pause, auto: bool) -> Result {
        let mut config = self.config;
        config.advertise.pause = pause;
        config.pause_auto = auto;
        if config.negotiates_pause() {
            return self.configure(config);
        }
        self.config = config;
        if let Some(link) = self.state {
            self.pause = self.config.pause(link, || None);
            pcs::apply_pause(&self.io, self.media, self.pause);
        }
        Ok(())
    }

    /// Negotiates anew, if the link is in use.
    pub(crate) fn renegotiate(&mut self) -> Result {
        if !self.started {
            return Ok(());
        }
        self.negotiate()
    }

    /// The link as it was last seen.
    pub(crate) fn state(&self) -> Option<link::LinkStatus> {
        self.state
    }

    /// How often the link was lost, whatever took it down. One that is back before anyone has
    /// looked is not counted.
    pub(crate) fn downs(&self) -> u64 {
        self.downs
    }

    /// The directions that pause, as negotiated.
    pub(crate) fn pause(&self) -> Pause {
        self.pause
    }

    /// The same; `None` while there is no link, and nobody pauses.
    pub(crate) fn pause_in_force(&self) -> Option<Pause> {
        self.state.map(|_| self.pause)
    }

    /// The same; while there is no link, what the next one will have if the partner is as it was.
    pub(crate) fn pause_to_expect(&self) -> Pause {
        if self.state.is_some() {
            self.pause
        } else if self.agrees_on_pause() {
            self.config.pause_to_expect(self.pause)
        } else {
            self.config.advertise.pause
        }
    }

    /// There is a partner to agree with on what pauses, if that is wanted.
    fn agrees_on_pause(&self) -> bool {
        self.media.phy().is_some() || self.negotiates()
    }

    /// Speed in Mb/s, 0 while the link is down.
    pub(crate) fn mbps(&self) -> u32 {
        self.state.map_or(0, |link| link.speed.mbps())
    }

    /// Brings the PHY up and negotiates, unless that was done since the last reset.
    pub(crate) fn start(&mut self) -> Result {
        if self.started {
            return Ok(());
        }
        write_flow_control(&self.io);
        self.negotiate()?;
        self.note_start();
        Ok(())
    }

    /// What the PHY holds may have been lost: it had no power, or was reset.
    pub(crate) fn forget_phy(&mut self) {
        self.is_phy_known = false;
    }

    /// As [`PortLink::start`], but without waiting for a PHY that someone else has: the service work item,
    /// which calls it, also pings VFs. Returns the error, if the user has not been told yet.
    pub(crate) fn retry(&mut self) -> Option<Error> {
        if self.started {
            return None;
        }
        let phy = self.media.phy().map(|path| Phy::try_take(&self.io, path));
        let started = phy.transpose().and_then(|phy| {
            write_flow_control(&self.io);
            self.negotiate_on(phy)
        });
        let Err(fault) = started else {
            self.note_start();
            return None;
        };
        (!core::mem::replace(&mut self.told, true)).then_some(hw::errno(fault))
    }

    fn note_start(&mut self) {
        self.started = true;
        self.is_phy_known = true;
        self.told = false;
    }

    /// Has the PHY and the MAC do what is wanted.
    pub(crate) fn negotiate(&self) -> Result {
        let phy = self.take_phy()?;
        self.negotiate_on(phy).map_err(hw::errno)
    }

    fn negotiate_on(&self, phy: Option<Phy<'_, Io>>) -> Result<(), Fault> {
        let io = &self.io;
        pcs::start(
            io,
            self.media,
            self.negotiates(),
            self.config.advertise.pause,
        );
        let Some(mut phy) = phy else {
            return Ok(());
        };
        if self.brings_phy_up && !self.is_phy_known {
            phy = phy.bring_up()?;
        }
        phy.set_crossover(self.config.crossover, self.config.forced.is_some())?;
        match self.config.forced {
            None => {
                io.update(regs::CTRL, ctrl_negotiated);
                phy.set_smart_speed(&self.config.advertise, &self.smart_speed_taken)?;
                phy.negotiate(&self.config.advertise)
            }
            Some(forced) => {
                io.update(regs::CTRL, |value| forced.ctrl(value));
                phy.force(forced)
            }
        }
    }

    /// The physical coding sublayer negotiates.
    fn negotiates(&self) -> bool {
        self.media.negotiates(self.may_negotiate)
    }

    /// The PHY, to look at what it knows of the link; `None` if there is none that knows something.
    /// Sleeps, for up to a second.
    pub(crate) fn take_phy(&self) -> Result<Option<Phy<'_, Io>>> {
        let phy = self.media.phy().map(|path| Phy::take(&self.io, path));
        phy.transpose().map_err(hw::errno)
    }

    /// What both ends have offered each other, own first, as far as that is known.
    pub(crate) fn advertisements(&self) -> Result<Option<(Anar, Anar)>> {
        match self.take_phy()? {
            Some(phy) => phy.advertisements().map(Some).map_err(hw::errno),
            None => Ok(pcs::advertisements(&self.io)),
        }
    }

    /// What the memory of the SFP module has.
    pub(crate) fn module_memory(&self) -> Result<Memory> {
        media::module_memory(&self.io, self.media).map_err(hw::errno)
    }

    /// Reads the memory of the SFP module.
    pub(crate) fn read_module(&self, offset: u16, bytes: &mut [u8]) -> Result {
        media::read_module(&self.io, self.media, offset, bytes).map_err(hw::errno)
    }

    /// The link as registers show it now.
    fn look(&self) -> Option<link::LinkStatus> {
        match self.media.phy() {
            Some(_) => link::LinkStatus::decode(self.io.read(regs::STATUS)),
            None => pcs::link(self.io.read(regs::PCS_LSTAT)),
        }
    }

    /// Has the port's LEDs show which one it is.
    pub(crate) fn show(&mut self, leds: Leds) {
        let value = match leds {
            Leds::Blink => {
                self.ledctl = self.io.read(regs::LEDCTL);
                all_leds(ledctl::BLINK | ledctl::MODE_LED_ON)
            }
            Leds::On => all_leds(ledctl::MODE_LED_ON),
            Leds::Off => all_leds(ledctl::MODE_LED_OFF),
            Leds::Usual => self.ledctl,
        };
        self.io.write(regs::LEDCTL, value);
    }

    /// Takes the link down: nobody needs it. It stays if firmware needs it.
    pub(crate) fn stop(&mut self) -> Result {
        self.lost();
        // That of a module has no power now.
        if self.media.has_pcs() {
            self.is_phy_known = false;
        }
        pcs::power_down(&self.io, self.media).map_err(hw::errno)
    }

    /// Whatever was known of the link is void.
    pub(crate) fn lost(&mut self) {
        self.started = false;
        if self.state.take().is_some() {
            self.downs = self.downs.wrapping_add(1);
        }
    }

    /// Looks at the link.
    pub(crate) fn refresh(&mut self) -> Change {
        let now = if self.started { self.look() } else { None };
        let change = link::change(self.state, now);
        self.state = now;
        if change == Change::Down {
            self.downs = self.downs.wrapping_add(1);
        }
        if let Change::Up(link) = change {
            self.pause = if self.agrees_on_pause() {
                let agreed = || self.advertisements().ok().flatten();
                self.config.pause(link, agreed)
            } else {
                self.config.advertise.pause
            };
            pcs::apply_pause(&self.io, self.media, self.pause);
        }
        change
    }
}

/// What the LEDs of a port show.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Leds {
    /// They blink by themselves. To be asked for first: it notes what they usually show.
    Blink,
    On,
    Off,
    /// What they showed before they were asked to blink.
    Usual,
}

fn all_leds(value: u32) -> Ledctl {
    (0..4).fold(Ledctl::ZERO, |word, led| ledctl::with_led(word, led, value))
}

/// Sets up what PAUSE frames look like, and when to send them. CTRL says whether they are sent.
fn write_flow_control(io: &Io) {
    let marks = Watermarks::new(pbs::kib(io.read(regs::RXPBS)), MAX_FRAME);
    io.write(regs::FCAL, flow_control::ADDRESS_LOW);
    io.write(regs::FCAH, flow_control::ADDRESS_HIGH);
    io.write(regs::FCT, flow_control::TYPE);
    io.write(regs::FCTTV, flow_control::PAUSE_TIME);
    io.write(regs::FCRTL, fcrtl::threshold(marks.low) | fcrtl::XONE);
    io.write(regs::FCRTH, marks.high);
}

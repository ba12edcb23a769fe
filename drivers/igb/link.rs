// SPDX-License-Identifier: GPL-2.0

//! The link: what is offered to the partner, and what came of it.

use crate::{
    hw::phy::Phy,
    io::Io, //
};
use igb_core::{
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
    regs::{
        self,
        ctrl,
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
    pub(crate) fn new(io: &Io) -> Self {
        Self {
            io: io.clone(),
            ledctl: Ledctl::ZERO,
            config: LinkConfig::DEFAULT,
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
            self.apply_pause();
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

    /// As [`PortLink::start`], but without waiting for a PHY that someone else has: the service work item,
    /// which calls it, also pings VFs. Returns the error, if the user has not been told yet.
    pub(crate) fn retry(&mut self) -> Option<Error> {
        if self.started {
            return None;
        }
        let started = Phy::try_take(&self.io).and_then(|phy| {
            write_flow_control(&self.io);
            self.negotiate_on(&phy)
        });
        let Err(error) = started else {
            self.note_start();
            return None;
        };
        (!core::mem::replace(&mut self.told, true)).then_some(error)
    }

    fn note_start(&mut self) {
        self.started = true;
        self.told = false;
    }

    /// Has the PHY and the MAC do what is wanted.
    pub(crate) fn negotiate(&self) -> Result {
        self.negotiate_on(&Phy::take(&self.io)?)
    }

    fn negotiate_on(&self, phy: &Phy<'_>) -> Result {
        let io = &self.io;
        phy.set_crossover(self.config.crossover, self.config.forced.is_some())?;
        match self.config.forced {
            None => {
                io.update(regs::CTRL, ctrl_negotiated);
                phy.negotiate(&self.config.advertise)
            }
            Some(forced) => {
                io.update(regs::CTRL, |value| forced.ctrl(value));
                phy.force(forced)
            }
        }
    }

    /// The PHY, to look at what it knows of the link. Sleeps, for up to a second.
    pub(crate) fn phy(&self) -> Result<Phy<'_>> {
        Phy::take(&self.io)
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

    /// Takes the link down: nobody needs it.
    pub(crate) fn stop(&mut self) -> Result {
        self.lost();
        Phy::take(&self.io)?.power_down()
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
        let now = if self.started {
            link::LinkStatus::decode(self.io.read(regs::STATUS))
        } else {
            None
        };
        let change = link::change(self.state, now);
        self.state = now;
        if change == Change::Down {
            self.downs = self.downs.wrapping_add(1);
        }
        if let Change::Up(link) = change {
            self.pause = self.config.pause(link, || {
                Phy::take(&self.io)
                    .and_then(|phy| phy.advertisements())
                    .ok()
            });
            self.apply_pause();
        }
        change
    }

    fn apply_pause(&self) {
        self.io.update(regs::CTRL, |value| {
            let value = value & !(ctrl::RFCE | ctrl::TFCE);
            value | ctrl::RFCE.when(self.pause.rx) | ctrl::TFCE.when(self.pause.tx)
        });
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

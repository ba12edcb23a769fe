// SPDX-License-Identifier: GPL-2.0

//! What the controller is (`devlink dev info`), and what concerns all VFs alike: how much they may
//! ask, offend and hold (`devlink dev param`), and which of them were cut off or had a queue stopped
//! (`devlink health`). What its registers were when a transmit queue was stuck (`devlink region`).

use crate::{
    controller::Hw,
    log,
    port::Port, //
};
use igb_core::{
    dump,
    function::{
        VfIndex,
        VfSet,
        MAX_VFS, //
    },
    mailbox::Policy,
    regs::{
        RAR_COUNT,
        VLVF_COUNT, //
    },
    switch::{
        OwnAddresses,
        Quotas, //
    }, //
};
use kernel::{
    prelude::*,
    sync::atomic::Relaxed, //
};
use net::devlink::{
    Diagnosis,
    Driver,
    Flag,
    Info,
    Param,
    Region,
    Resource,
    Text, //
};

mod vf_params;

impl Driver for Port {
    const PARAMS: &'static [Param<Self>] = &[
        Param {
            name: c"vf_request_rate",
            range: (1, 10_000),
            range_text: c"vf_request_rate is 1 to 10000 requests a second",
            get: |port| port.policy().requests_per_sec,
            set: |port, value| port.set_policy(|policy| policy.requests_per_sec = value),
        },
        Param {
            name: c"vf_request_burst",
            range: (16, 10_000),
            range_text: c"vf_request_burst is 16 to 10000 requests: a client needs some to start",
            get: |port| port.policy().burst,
            set: |port, value| port.set_policy(|policy| policy.burst = value),
        },
        Param {
            name: c"vf_offence_limit",
            range: (0, 1_000_000),
            range_text: c"vf_offence_limit is 1 to 1000000 offences, or 0 for no quarantine",
            get: |port| port.policy().offence_limit,
            set: |port, value| port.set_policy(|policy| policy.offence_limit = value),
        },
        Param {
            name: c"vf_offence_decay",
            range: (0, 10_000),
            range_text: c"vf_offence_decay is 0 to 10000 offences forgiven a second",
            get: |port| port.policy().offence_decay,
            set: |port, value| port.set_policy(|policy| policy.offence_decay = value),
        },
        Param {
            name: c"vf_extra_macs",
            range: (0, 22),
            range_text: c"vf_extra_macs is 0 to 22 addresses",
            get: |port| port.quotas().untrusted.macs.into(),
            set: |port, value| port.set_quotas(|quotas| &mut quotas.untrusted.macs, value),
        },
        Param {
            name: c"vf_vlans",
            range: (0, 31),
            range_text: c"vf_vlans is 0 to 31 VLANs",
            get: |port| port.quotas().untrusted.vlans.into(),
            set: |port, value| port.set_quotas(|quotas| &mut quotas.untrusted.vlans, value),
        },
        Param {
            name: c"trusted_vf_extra_macs",
            range: (0, 22),
            range_text: c"trusted_vf_extra_macs is 0 to 22 addresses",
            get: |port| port.quotas().trusted.macs.into(),
            set: |port, value| port.set_quotas(|quotas| &mut quotas.trusted.macs, value),
        },
        Param {
            name: c"trusted_vf_vlans",
            range: (0, 31),
            range_text: c"trusted_vf_vlans is 0 to 31 VLANs",
            get: |port| port.quotas().trusted.vlans.into(),
            set: |port, value| port.set_quotas(|quotas| &mut quotas.trusted.vlans, value),
        },
        Param {
            name: c"vf_own_addresses",
            range: (0, 2),
            range_text: c"vf_own_addresses is 0 (none), 1 (locally administered) or 2 (any)",
            get: |port| port.hw.lock().switch.own_addresses().level(),
            set: |port, value| port.set_own_addresses(value),
        },
    ];

    const FLAGS: &'static [Flag<Self>] = &vf_params::FLAGS;

    const TEXTS: &'static [Text<Self>] = &vf_params::TEXTS;

    const REPORTERS: &'static [&'static CStr] = &[
        c"vf0", c"vf1", c"vf2", c"vf3", c"vf4", c"vf5", c"vf6", c"tx",
    ];

    const RESOURCES: &'static [Resource<Self>] = &[
        Resource {
            name: c"receive_addresses",
            // CAST: Widening.
            size: RAR_COUNT as u64,
            taken: |port| count(port.hw.lock().switch.address_entries_taken()),
        },
        Resource {
            name: c"vlan_entries",
            // CAST: Widening.
            size: VLVF_COUNT as u64,
            taken: |port| count(port.hw.lock().switch.vlan_entries_taken()),
        },
    ];

    const REGIONS: &'static [Region<Self>] = &[REGISTERS];

    fn info(&self, out: &mut Info<'_>) -> Result {
        let identity = &self.identity;
        out.fixed(c"asic.id", &identity.verdict.name())?;
        out.fixed(c"asic.rev", &self.pdev.revision_id())?;
        out.fixed(c"controller", &identity.verdict)?;
        if self.differences.ignores_rate_limits {
            out.fixed(c"controller.max_tx_rate", &"no effect")?;
        }
        if let Some(board) = &identity.board {
            out.fixed(c"board.id", board)?;
        }
        if let Some(image) = &identity.image {
            out.running(c"fw", image)?;
        }
        Ok(())
    }

    fn diagnose(&self, reporter: usize, out: &mut Diagnosis<'_>) -> Result {
        if reporter == TX_REPORTER {
            out.put_u64(c"timeouts", self.hw_stats.timeouts());
            return Ok(());
        }
        // Copied first: putting values allocates memory, which may sleep.
        let status = {
            let hw = self.hw.lock();
            let vf = hw.switch.vfs().iter().find(|vf| vf.index() == reporter);
            vf.map(|vf| hw.switch.status(vf))
        };
        out.put_bool(c"enabled", status.is_some());
        let Some(status) = status else {
            return Ok(());
        };
        out.put_bool(c"open", status.open);
        out.put_bool(c"quarantined", status.quarantined);
        out.put_u64(c"offences", status.offences.into());
        out.put_u64(c"extra macs", count(status.macs));
        out.put_u64(c"vlans", count(status.vlans));
        out.put_u64(c"max frame", status.max_frame.into());
        out.put_bool(c"all multicast", status.all_multicast);
        Ok(())
    }
}

/// The registers, as `ethtool -d` has them: pairs of offset and value, of 32 bits each, least significant
/// byte first.
const REGISTERS: Region<Port> = Region {
    name: c"registers",
    size: 4 * dump::WORDS,
    max_snapshots: 8,
    read: |port, bytes| {
        let _awake = port.wake()?;
        let mut words = bytes.chunks_exact_mut(4);
        port.dump(|offset, value| {
            for (word, bytes) in [offset, value].into_iter().zip(&mut words) {
                bytes.copy_from_slice(&word.to_le_bytes());
            }
        });
        Ok(())
    },
};

/// Its place in [`Driver::REGIONS`].
const REGISTERS_REGION: usize = 0;

/// The place of the reporter of transmit queues: after those of the VFs.
const TX_REPORTER: usize = MAX_VFS;

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

impl Port {
    fn policy(&self) -> Policy {
        *self.hw.lock().switch.policy()
    }

    fn set_policy(&self, change: impl FnOnce(&mut Policy)) -> Result {
        let mut hw = self.hw.lock();
        let mut policy = *hw.switch.policy();
        change(&mut policy);
        hw.switch.set_policy(policy);
        Ok(())
    }

    fn quotas(&self) -> Quotas {
        *self.hw.lock().switch.quotas()
    }

    fn set_quotas(&self, which: impl FnOnce(&mut Quotas) -> &mut u8, value: u32) -> Result {
        let mut hw = self.hw.lock();
        let mut quotas = *hw.switch.quotas();
        *which(&mut quotas) = u8::try_from(value)?;
        hw.switch.set_quotas(quotas);
        hw.apply();
        Ok(())
    }

    fn set_own_addresses(&self, level: u32) -> Result {
        let own = OwnAddresses::from_level(level).ok_or(ERANGE)?;
        let mut hw = self.hw.lock();
        hw.switch.set_own_addresses(own);
        hw.apply();
        let deprived = hw.switch.take_deprived();
        drop(hw);
        log::print_deprived(&self.pdev, deprived);
        // It holds for what is behind bridges as well.
        self.stations_due.store(true, Relaxed);
        self.works.service.schedule();
        Ok(())
    }

    /// Tells the administrator that a transmit queue was stuck, or that all go on again. Process context,
    /// without [`Port::hw`].
    pub(crate) fn tell_transmit(&self, stuck: bool) {
        let reporters = self.reporters.lock();
        if stuck {
            reporters.error(TX_REPORTER, c"a transmit queue is stuck");
        } else {
            reporters.healthy(TX_REPORTER);
        }
    }

    /// Reads the registers of a dump. Process context.
    pub(crate) fn dump(&self, mut put: impl FnMut(u32, u32)) {
        let _mac = self.mac.lock();
        for offset in dump::offsets() {
            put(offset, self.io.read_at(offset));
        }
    }

    /// Keeps what the registers are now for the administrator. Process context, without [`Port::mac`].
    pub(crate) fn keep_registers(&self) {
        let kept = REGISTERS
            .copy(self)
            .and_then(|bytes| self.reporters.lock().snapshot(REGISTERS_REGION, bytes));
        match kept {
            Ok(id) => dev_info!(
                &*self.pdev,
                "what the registers were is snapshot {id} of the devlink region registers\n"
            ),
            Err(error) if error == ENOSPC => dev_info!(
                &*self.pdev,
                "the devlink region registers has all the snapshots it can keep: \
                 'devlink region del' makes room\n"
            ),
            Err(_) => {}
        }
    }

    /// Tells the administrator which VFs were cut off or had a queue stopped, and which are well again. To
    /// be called when that may have changed. Process context, without [`Port::hw`].
    pub(crate) fn tell_health(&self) {
        // Taken before the state is read, so that the last report is the state that holds.
        let reporters = self.reporters.lock();
        let news = {
            let mut guard = self.hw.lock();
            let hw: &mut Hw = &mut guard;
            hw.told.update(&mut hw.switch)
        };
        each(news.stopped, |vf| {
            reporters.error(vf.index(), c"had a queue stopped for its descriptors");
        });
        each(news.cut_off, |vf| {
            reporters.error(vf.index(), c"misbehaves and was cut off");
        });
        each(news.well, |vf| reporters.healthy(vf.index()));
    }
}

fn each(vfs: VfSet, tell: impl Fn(VfIndex)) {
    vfs.iter().for_each(tell);
}

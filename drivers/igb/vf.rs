// SPDX-License-Identifier: GPL-2.0

//! What the administrator sets for a VF (`ip link set DEV vf N …`) and sees of it.
//!
//! Every setting is validated and stored as desired state first and then applied; one that fails
//! leaves everything as it was.

use crate::{
    controller::{
        errno,
        Hw,
        Live, //
    },
    log,
    mailbox,
    port::Port, //
};
use igb_core::{
    addr::MacAddr,
    error::AdminError,
    function::{
        VfIndex,
        VfSet, //
    },
    switch::{
        Loopback,
        VfLink, //
    },
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Full,
        Relaxed, //
    },
};
use net::{
    compat::EOPNOTSUPP,
    device::Device,
    ethtool::ExtAck,
    vf::{
        self,
        Admin,
        LinkState,
        Mac,
        Qos,
        SwitchMode,
        VfIndex as VfNumber,
        VfInfo,
        VfStats,
        VlanId,
        VlanProto, //
    },
};

/// The operations of [`Port`].
pub(crate) struct Ops;

impl vf::Ops<Port> for Ops {
    const TABLE: vf::Table<Port> = vf::Table::new().admin::<Self>().switch::<Self>();
}

/// Changes the desired state of one VF and applies it.
fn change(
    port: &Port,
    vf: VfNumber,
    change: impl FnOnce(&mut Hw, VfIndex) -> Result<(), AdminError>,
) -> Result {
    let mut hw = port.hw.lock();
    let vf = index(&hw, vf)?;
    change(&mut hw, vf).map_err(errno)?;
    hw.apply();
    let deprived = hw.switch.take_deprived();
    drop(hw);
    log::print_deprived(&port.pdev, deprived);
    Ok(())
}

fn index(hw: &Hw, vf: VfNumber) -> Result<VfIndex> {
    hw.switch.vf_index(vf.get().into()).map_err(errno)
}

#[vtable]
impl Admin<Port> for Ops {
    fn num_vfs(port: &Port) -> u16 {
        port.hw.lock().switch.nr_vfs().into()
    }

    fn config(port: &Port, _dev: &Device<Port>, vf: VfNumber) -> Result<VfInfo> {
        let hw = port.hw.lock();
        let config = hw.switch.config(index(&hw, vf)?);
        Ok(VfInfo {
            mac: Mac(config.mac.0),
            vlan: VlanId::new(config.vlan).unwrap_or(VlanId::NONE),
            qos: Qos::new(config.qos).unwrap_or_default(),
            vlan_proto: VlanProto::Ctag,
            // One word for two checks.
            spoofchk: config.mac_check && config.vlan_check,
            link_state: match config.link_state {
                VfLink::Auto => LinkState::Auto,
                VfLink::Enable => LinkState::Enable,
                VfLink::Disable => LinkState::Disable,
            },
            min_tx_rate: 0,
            max_tx_rate: config.max_tx_rate,
            rss_query: Some(false),
            trusted: config.trusted,
        })
    }

    fn stats(port: &Port, _dev: &Device<Port>, vf: VfNumber) -> Result<VfStats> {
        let mut hw = port.hw.lock();
        let vf = index(&hw, vf)?;
        if let Some(Live { io, hw }) = hw.live() {
            hw.read_vf_counters(io, vf);
        }
        let stats = hw.vf_stats.get(vf.index()).ok_or(EINVAL)?;
        Ok(VfStats {
            rx_packets: stats.rx_packets.total(),
            tx_packets: stats.tx_packets.total(),
            rx_bytes: stats.rx_bytes.total(),
            tx_bytes: stats.tx_bytes.total(),
            multicast: stats.rx_multicast.total(),
            rx_dropped: stats.rx_dropped.total(),
            // The controller counts neither of these for a VF.
            broadcast: 0,
            tx_dropped: 0,
        })
    }

    fn set_mac(port: &Port, _dev: &Device<Port>, vf: VfNumber, mac: Mac) -> Result {
        let addr = MacAddr(mac.0);
        change(port, vf, |hw, vf| hw.switch.set_vf_mac(vf, addr))?;
        // One that a bridge has may count now.
        port.stations_due.store(true, Relaxed);
        let n = vf.get();
        if mac.is_zero() {
            dev_info!(&*port.pdev, "remove administratively set MAC on VF {n}\n");
            return Ok(());
        }
        dev_info!(&*port.pdev, "setting MAC {} on VF {n}\n", log::Text(addr));
        dev_info!(
            &*port.pdev,
            "Reload the VF driver to make this change effective.\n"
        );
        Ok(())
    }

    fn set_vlan(
        port: &Port,
        _dev: &Device<Port>,
        vf: VfNumber,
        vlan: VlanId,
        qos: Qos,
        proto: VlanProto,
    ) -> Result {
        let ethertype = match proto {
            VlanProto::Ctag => 0x8100,
            VlanProto::Stag => 0x88a8,
        };
        change(port, vf, |hw, vf| {
            hw.switch.set_vf_vlan(vf, vlan.get(), qos.get(), ethertype)
        })?;
        if vlan != VlanId::NONE {
            dev_info!(
                &*port.pdev,
                "Setting VLAN {}, QOS {:#x} on VF {}\n",
                vlan.get(),
                qos.get(),
                vf.get()
            );
        }
        Ok(())
    }

    fn set_rate(port: &Port, _dev: &Device<Port>, vf: VfNumber, min: u32, max: u32) -> Result {
        change(port, vf, |hw, vf| hw.switch.set_vf_rate(vf, min, max))?;
        // Not refused: tools that give VFs to machines would fail with all of their settings. The
        // kernel passes no extended acknowledgement, so the log says it.
        let limits = max == 0 || !port.differences.ignores_rate_limits;
        if !limits && !port.told_no_limit.xchg(true, Full) {
            dev_warn!(
                &*port.pdev,
                "max_tx_rate of a VF is kept and shown, and has no effect: this emulated \
                 controller does not limit what VFs send\n"
            );
        }
        Ok(())
    }

    fn set_spoofchk(port: &Port, _dev: &Device<Port>, vf: VfNumber, on: bool) -> Result {
        change(port, vf, |hw, vf| {
            hw.switch.set_vf_checks(vf, Some(on), Some(on));
            Ok(())
        })
    }

    fn set_link_state(port: &Port, _dev: &Device<Port>, vf: VfNumber, state: LinkState) -> Result {
        let state = match state {
            LinkState::Auto => VfLink::Auto,
            LinkState::Enable => VfLink::Enable,
            LinkState::Disable => VfLink::Disable,
        };
        // One that is let back is asked to start over, by the next word it is sent as well.
        port.mac.lock().recall_refuses = false;
        change(port, vf, |hw, vf| {
            hw.switch.set_vf_link_state(vf, state)?;
            // The way back for a VF that was cut off. It may have changed hands meanwhile, and is
            // told when it is cleared.
            if hw.switch.release(vf) {
                hw.server.on_new_tenant(vf);
                port.works.mailbox.schedule();
            }
            Ok(())
        })?;
        if let Some(Live { io, hw }) = port.hw.lock().live() {
            let mut one = VfSet::EMPTY;
            one.insert(index(hw, vf)?);
            mailbox::show_link(port, io, hw, one);
        }
        port.tell_health();
        Ok(())
    }

    fn set_trust(port: &Port, _dev: &Device<Port>, vf: VfNumber, on: bool) -> Result {
        change(port, vf, |hw, vf| {
            hw.switch.set_vf_trust(vf, on);
            Ok(())
        })?;
        let not = if on { "" } else { "not " };
        dev_info!(&*port.pdev, "VF {} is {not}trusted\n", vf.get());
        Ok(())
    }

    fn set_rss_query(port: &Port, _dev: &Device<Port>, vf: VfNumber, on: bool) -> Result {
        change(port, vf, |hw, vf| hw.switch.set_vf_query_rss(vf, on))
    }
}

/// What [`Port::switch_mode`] reports; a number, as it is read without a lock.
const NO_SWITCH: u32 = 0;
const VEB: u32 = 1;
const VEPA: u32 = 2;

impl Port {
    /// Notes how frames between functions are switched. To be called when that, or the number of VFs,
    /// has changed.
    pub(crate) fn note_switch(&self, hw: &Hw) {
        let mode = match (hw.switch.nr_vfs(), hw.switch.loopback()) {
            (0, _) => NO_SWITCH,
            (_, Loopback::Veb) => VEB,
            (_, Loopback::Vepa) => VEPA,
        };
        self.bridge_mode.store(mode, Relaxed);
        self.watch_vlans(&hw.switch);
        if let Some(returned) = &self.returned {
            returned.set(mode == VEB);
        }
    }

    /// How frames between functions are switched; `None` without VFs. Any context.
    fn switch_mode(&self) -> Option<SwitchMode> {
        match self.bridge_mode.load(Relaxed) {
            VEB => Some(SwitchMode::Veb),
            VEPA => Some(SwitchMode::Vepa),
            _ => None,
        }
    }
}

#[vtable]
impl vf::Switch<Port> for Ops {
    fn mode(port: &Port, _dev: &Device<Port>) -> Result<SwitchMode> {
        // Called with RCU held: no lock that sleeps.
        port.switch_mode().ok_or(EOPNOTSUPP)
    }

    fn set_mode(
        port: &Port,
        _dev: &Device<Port>,
        mode: SwitchMode,
        extack: &mut ExtAck<'_>,
    ) -> Result {
        let mut hw = port.hw.lock();
        if hw.switch.nr_vfs() == 0 {
            extack.set_msg(c"There is no switch without VFs; enable some first");
            return Err(EOPNOTSUPP);
        }
        hw.switch.set_loopback(match mode {
            SwitchMode::Veb => Loopback::Veb,
            SwitchMode::Vepa => Loopback::Vepa,
        });
        port.note_switch(&hw);
        hw.apply();
        Ok(())
    }
}

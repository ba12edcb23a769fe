// SPDX-License-Identifier: GPL-2.0

//! What `ip link set DEV vf N` has no words for: parameters of devlink for each VF. They are there while the
//! VF is.

use crate::{
    controller::Hw,
    port::Port, //
};
use igb_core::{
    function::{
        VfIndex,
        MAX_VFS, //
    },
    switch::VfConfig,
    vlan::VlanList, //
};
use kernel::prelude::*;
use net::{
    compat::EOPNOTSUPP,
    devlink::{
        Flag,
        Text,
        LONGEST_TEXT, //
    },
};

const _: () = assert!(VlanList::LONGEST == LONGEST_TEXT);

/// Whether the source addresses, and the VLANs, of what a VF sends are checked.
pub(super) const FLAGS: [Flag<Port>; 2 * MAX_VFS] = [
    mac_check::<0>(c"vf0_spoofchk_mac"),
    vlan_check::<0>(c"vf0_spoofchk_vlan"),
    mac_check::<1>(c"vf1_spoofchk_mac"),
    vlan_check::<1>(c"vf1_spoofchk_vlan"),
    mac_check::<2>(c"vf2_spoofchk_mac"),
    vlan_check::<2>(c"vf2_spoofchk_vlan"),
    mac_check::<3>(c"vf3_spoofchk_mac"),
    vlan_check::<3>(c"vf3_spoofchk_vlan"),
    mac_check::<4>(c"vf4_spoofchk_mac"),
    vlan_check::<4>(c"vf4_spoofchk_vlan"),
    mac_check::<5>(c"vf5_spoofchk_mac"),
    vlan_check::<5>(c"vf5_spoofchk_vlan"),
    mac_check::<6>(c"vf6_spoofchk_mac"),
    vlan_check::<6>(c"vf6_spoofchk_vlan"),
];

/// Which VLANs a VF may join.
pub(super) const TEXTS: [Text<Port>; MAX_VFS] = [
    allowed_vlans::<0>(c"vf0_allowed_vlans"),
    allowed_vlans::<1>(c"vf1_allowed_vlans"),
    allowed_vlans::<2>(c"vf2_allowed_vlans"),
    allowed_vlans::<3>(c"vf3_allowed_vlans"),
    allowed_vlans::<4>(c"vf4_allowed_vlans"),
    allowed_vlans::<5>(c"vf5_allowed_vlans"),
    allowed_vlans::<6>(c"vf6_allowed_vlans"),
];

const NO_VF: &CStr = c"there is no such VF: write to sriov_numvfs first";

const fn mac_check<const N: u8>(name: &'static CStr) -> Flag<Port> {
    Flag {
        name,
        absent: NO_VF,
        get: |port| Ok(config(port, N)?.mac_check),
        set: |port, on| {
            change(port, N, |hw, vf| {
                hw.switch.set_vf_checks(vf, Some(on), None)
            })
        },
    }
}

const fn vlan_check<const N: u8>(name: &'static CStr) -> Flag<Port> {
    Flag {
        name,
        absent: NO_VF,
        get: |port| Ok(config(port, N)?.vlan_check),
        set: |port, on| {
            change(port, N, |hw, vf| {
                hw.switch.set_vf_checks(vf, None, Some(on))
            })
        },
    }
}

const fn allowed_vlans<const N: u8>(name: &'static CStr) -> Text<Port> {
    Text {
        name,
        hint: c"VLANs are any, none, or numbers and ranges from 1 to 4094, such as 5,100-199",
        absent: NO_VF,
        get: |port, out| {
            let list = config(port, N)?.vlans;
            write!(out, "{list}").map_err(|_| EINVAL)
        },
        set: |port, text| {
            let list = VlanList::parse(text).ok_or(EINVAL)?;
            change(port, N, |hw, vf| hw.switch.set_vf_vlans(vf, list))
        },
    }
}

/// The settings of VF `n`; `EOPNOTSUPP` if it is not enabled.
fn config(port: &Port, n: u8) -> Result<VfConfig> {
    let hw = port.hw.lock();
    Ok(hw.switch.config(index(&hw, n)?))
}

/// Changes settings of VF `n` and applies them; `EOPNOTSUPP` if it is not enabled.
fn change(port: &Port, n: u8, change: impl FnOnce(&mut Hw, VfIndex)) -> Result {
    let mut hw = port.hw.lock();
    let vf = index(&hw, n)?;
    change(&mut hw, vf);
    hw.apply();
    Ok(())
}

fn index(hw: &Hw, n: u8) -> Result<VfIndex> {
    hw.switch.vf_index(n.into()).map_err(|_| EOPNOTSUPP)
}

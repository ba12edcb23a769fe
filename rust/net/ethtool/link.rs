// SPDX-License-Identifier: GPL-2.0

//! The link: `ethtool ethX`, `-s`, `-r` and `-p`.

use kernel::{
    error::{
        from_result,
        VTABLE_DEFAULT_ERROR, //
    },
    prelude::*, //
};

use super::{
    device,
    op,
    Device,
    RawDevice,
    Table, //
};

/// What a link can do or be: a bit of a [`LinkModes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkMode(u32);

#[allow(missing_docs)]
impl LinkMode {
    pub const BASE_10_T_HALF: Self =
        Self(netbind::ethtool_link_mode_bit_indices_ETHTOOL_LINK_MODE_10baseT_Half_BIT);
    pub const BASE_10_T_FULL: Self =
        Self(netbind::ethtool_link_mode_bit_indices_ETHTOOL_LINK_MODE_10baseT_Full_BIT);
    pub const BASE_100_T_HALF: Self =
        Self(netbind::ethtool_link_mode_bit_indices_ETHTOOL_LINK_MODE_100baseT_Half_BIT);
    pub const BASE_100_T_FULL: Self =
        Self(netbind::ethtool_link_mode_bit_indices_ETHTOOL_LINK_MODE_100baseT_Full_BIT);
    pub const BASE_1000_T_FULL: Self =
        Self(netbind::ethtool_link_mode_bit_indices_ETHTOOL_LINK_MODE_1000baseT_Full_BIT);
    pub const BASE_1000_X_FULL: Self =
        Self(netbind::ethtool_link_mode_bit_indices_ETHTOOL_LINK_MODE_1000baseX_Full_BIT);
    pub const BASE_1000_KX_FULL: Self =
        Self(netbind::ethtool_link_mode_bit_indices_ETHTOOL_LINK_MODE_1000baseKX_Full_BIT);
    pub const BASE_100_FX_FULL: Self =
        Self(netbind::ethtool_link_mode_bit_indices_ETHTOOL_LINK_MODE_100baseFX_Full_BIT);
    pub const AUTONEG: Self =
        Self(netbind::ethtool_link_mode_bit_indices_ETHTOOL_LINK_MODE_Autoneg_BIT);
    pub const TP: Self = Self(netbind::ethtool_link_mode_bit_indices_ETHTOOL_LINK_MODE_TP_BIT);
    pub const FIBRE: Self =
        Self(netbind::ethtool_link_mode_bit_indices_ETHTOOL_LINK_MODE_FIBRE_BIT);
    pub const BACKPLANE: Self =
        Self(netbind::ethtool_link_mode_bit_indices_ETHTOOL_LINK_MODE_Backplane_BIT);
    pub const PAUSE: Self =
        Self(netbind::ethtool_link_mode_bit_indices_ETHTOOL_LINK_MODE_Pause_BIT);
    pub const ASYM_PAUSE: Self =
        Self(netbind::ethtool_link_mode_bit_indices_ETHTOOL_LINK_MODE_Asym_Pause_BIT);

    const fn bit(self) -> u128 {
        // All link modes there are fit in: see the assertion below.
        1u128.wrapping_shl(self.0)
    }
}

const _: () =
    assert!(netbind::ethtool_link_mode_bit_indices___ETHTOOL_LINK_MODE_MASK_NBITS <= u128::BITS);

/// A set of [`LinkMode`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkModes(u128);

impl LinkModes {
    /// None.
    pub const NONE: Self = Self(0);

    /// Returns the set of `modes`.
    pub const fn of(modes: &[LinkMode]) -> Self {
        let mut bits = 0;
        let mut rest = modes;
        while let [mode, more @ ..] = rest {
            bits |= mode.bit();
            rest = more;
        }
        Self(bits)
    }

    /// Returns this set and `mode`.
    #[must_use]
    pub const fn with(self, mode: LinkMode) -> Self {
        Self(self.0 | mode.bit())
    }

    /// Returns whether `mode` is in the set.
    pub const fn contains(self, mode: LinkMode) -> bool {
        self.0 & mode.bit() != 0
    }

    /// Returns the modes in both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Returns whether all modes of this set are in `other`.
    pub const fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Returns whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn from_raw(words: &[c_ulong]) -> Self {
        let mut bits = 0;
        for word in words.iter().rev() {
            // CAST: Widening; a word has at most 64 bits.
            bits = (bits << c_ulong::BITS) | (*word as u128);
        }
        Self(bits)
    }

    fn into_raw(self, words: &mut [c_ulong]) {
        let mut bits = self.0;
        for word in words {
            // CAST: Takes the low word.
            *word = bits as c_ulong;
            bits >>= c_ulong::BITS;
        }
    }
}

/// Whether both sides send at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplex {
    /// They take turns.
    Half,
    /// They do.
    Full,
}

/// What the link is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// Twisted pair.
    TwistedPair,
    /// Fibre.
    Fibre,
    /// A direct attach cable.
    DirectAttach,
    /// Something else, such as a backplane.
    Other,
}

/// Crossing of the pairs of a cable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mdix {
    /// Not known, or not applicable.
    #[default]
    Unknown,
    /// Straight.
    Mdi,
    /// Crossed.
    MdiX,
    /// Found out by the device.
    Auto,
}

impl Mdix {
    fn from_raw(raw: u8) -> Self {
        match u32::from(raw) {
            netbind::ETH_TP_MDI => Self::Mdi,
            netbind::ETH_TP_MDI_X => Self::MdiX,
            netbind::ETH_TP_MDI_AUTO => Self::Auto,
            _ => Self::Unknown,
        }
    }

    fn into_raw(self) -> u8 {
        low_byte(match self {
            Self::Unknown => netbind::ETH_TP_MDI_INVALID,
            Self::Mdi => netbind::ETH_TP_MDI,
            Self::MdiX => netbind::ETH_TP_MDI_X,
            Self::Auto => netbind::ETH_TP_MDI_AUTO,
        })
    }
}

/// A constant of the C API that is stored in a byte.
const fn low_byte(value: u32) -> u8 {
    value.to_le_bytes()[0]
}

/// The state of the link, and what it can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkSettings {
    /// Speed in Mbit/s; `None` when it is not known.
    pub speed: Option<u32>,
    /// Duplex; `None` when it is not known.
    pub duplex: Option<Duplex>,
    /// The link partners agree on speed and duplex.
    pub autoneg: bool,
    /// What the link is made of.
    pub port: Port,
    /// Address of the PHY on the MDIO bus.
    pub phy_address: u8,
    /// How the pairs are.
    pub mdix: Mdix,
    /// How the pairs are to be.
    pub mdix_ctrl: Mdix,
    /// What the device can do.
    pub supported: LinkModes,
    /// What it tells its link partner it can do.
    pub advertising: LinkModes,
    /// What its link partner says it can do.
    pub lp_advertising: LinkModes,
}

impl LinkSettings {
    fn from_raw(raw: &netbind::ethtool_link_ksettings) -> Self {
        let base = &raw.base;
        Self {
            // SPEED_UNKNOWN is -1.
            speed: (base.speed != u32::MAX).then_some(base.speed),
            duplex: match u32::from(base.duplex) {
                netbind::DUPLEX_HALF => Some(Duplex::Half),
                netbind::DUPLEX_FULL => Some(Duplex::Full),
                _ => None,
            },
            autoneg: u32::from(base.autoneg) == netbind::AUTONEG_ENABLE,
            port: match u32::from(base.port) {
                netbind::PORT_TP => Port::TwistedPair,
                netbind::PORT_FIBRE => Port::Fibre,
                netbind::PORT_DA => Port::DirectAttach,
                _ => Port::Other,
            },
            phy_address: base.phy_address,
            mdix: Mdix::from_raw(base.eth_tp_mdix),
            mdix_ctrl: Mdix::from_raw(base.eth_tp_mdix_ctrl),
            supported: LinkModes::from_raw(&raw.link_modes.supported),
            advertising: LinkModes::from_raw(&raw.link_modes.advertising),
            lp_advertising: LinkModes::from_raw(&raw.link_modes.lp_advertising),
        }
    }

    fn into_raw(self, raw: &mut netbind::ethtool_link_ksettings) {
        let base = &mut raw.base;
        base.speed = self.speed.unwrap_or(u32::MAX);
        base.duplex = low_byte(match self.duplex {
            Some(Duplex::Half) => netbind::DUPLEX_HALF,
            Some(Duplex::Full) => netbind::DUPLEX_FULL,
            None => netbind::DUPLEX_UNKNOWN,
        });
        base.autoneg = low_byte(if self.autoneg {
            netbind::AUTONEG_ENABLE
        } else {
            netbind::AUTONEG_DISABLE
        });
        base.port = low_byte(match self.port {
            Port::TwistedPair => netbind::PORT_TP,
            Port::Fibre => netbind::PORT_FIBRE,
            Port::DirectAttach => netbind::PORT_DA,
            Port::Other => netbind::PORT_OTHER,
        });
        base.phy_address = self.phy_address;
        base.eth_tp_mdix = self.mdix.into_raw();
        base.eth_tp_mdix_ctrl = self.mdix_ctrl.into_raw();
        let modes = &mut raw.link_modes;
        self.supported.into_raw(&mut modes.supported);
        self.advertising.into_raw(&mut modes.advertising);
        self.lp_advertising.into_raw(&mut modes.lp_advertising);
    }
}

/// What the lamp of the port is to do, to find it (`ethtool -p`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhysId {
    /// Blink, until [`PhysId::Inactive`].
    Active,
    /// Be on.
    On,
    /// Be off.
    Off,
    /// Do what it did before.
    Inactive,
}

/// The link.
#[vtable]
pub trait Link<D>: 'static {
    /// Returns the state of the link.
    fn link_settings(port: &D, dev: &Device<D>) -> Result<LinkSettings>;

    /// Sets what is asked for in `settings`: autonegotiation with `advertising`, or without with
    /// `speed` and `duplex`; and `mdix_ctrl`.
    ///
    /// # Errors
    ///
    /// The old settings stay.
    fn set_link_settings(_port: &D, _dev: &Device<D>, _settings: &LinkSettings) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Returns whether there is a link. Without this it is whether the carrier is on.
    fn link(_port: &D, _dev: &Device<D>) -> bool {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Returns how often the physical link was lost. Without this it is not shown.
    fn link_down_events(_port: &D, _dev: &Device<D>) -> u64 {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Has the link partners agree again.
    fn nway_reset(_port: &D, _dev: &Device<D>) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Has the lamp of the port do something.
    ///
    /// For [`PhysId::Active`] returns how many times per second the kernel is to ask for
    /// [`PhysId::On`] and [`PhysId::Off`]; 0 if the lamp blinks by itself.
    fn set_phys_id(_port: &D, _dev: &Device<D>, _state: PhysId) -> Result<u8> {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

impl<D> Table<D> {
    /// Adds the operations of [`Link`].
    pub const fn link<E: Link<D>>(mut self) -> Self {
        self.ops.get_link_ksettings = Some(get::<D, E>);
        self.ops.set_link_ksettings = op!(E::HAS_SET_LINK_SETTINGS, set::<D, E>);
        self.ops.get_link = if E::HAS_LINK {
            Some(link::<D, E>)
        } else {
            Some(kernel::bindings::ethtool_op_get_link)
        };
        self.ops.get_link_ext_stats = op!(E::HAS_LINK_DOWN_EVENTS, ext_stats::<D, E>);
        self.ops.nway_reset = op!(E::HAS_NWAY_RESET, nway_reset::<D, E>);
        self.ops.set_phys_id = op!(E::HAS_SET_PHYS_ID, set_phys_id::<D, E>);
        self
    }
}

/// # Safety
///
/// Called by the kernel as `get_link_ksettings` of a net device of `D`.
unsafe extern "C" fn get<D, E: Link<D>>(
    dev: *mut RawDevice,
    raw: *mut netbind::ethtool_link_ksettings,
) -> c_int {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `raw` is valid and ours during the call.
    let (dev, raw) = unsafe { (device::<D>(dev), &mut *raw) };

    from_result(|| {
        E::link_settings(dev.data(), dev)?.into_raw(raw);
        Ok(0)
    })
}

/// # Safety
///
/// Called by the kernel as `set_link_ksettings` of a net device of `D`.
unsafe extern "C" fn set<D, E: Link<D>>(
    dev: *mut RawDevice,
    raw: *const netbind::ethtool_link_ksettings,
) -> c_int {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `raw` is valid during the call.
    let (dev, raw) = unsafe { (device::<D>(dev), &*raw) };

    let settings = LinkSettings::from_raw(raw);
    from_result(|| E::set_link_settings(dev.data(), dev, &settings).map(|()| 0))
}

/// # Safety
///
/// Called by the kernel as `get_link` of a net device of `D`.
unsafe extern "C" fn link<D, E: Link<D>>(dev: *mut RawDevice) -> u32 {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for.
    let dev = unsafe { device::<D>(dev) };

    E::link(dev.data(), dev).into()
}

/// # Safety
///
/// Called by the kernel as `get_link_ext_stats` of a net device of `D`.
unsafe extern "C" fn ext_stats<D, E: Link<D>>(
    dev: *mut RawDevice,
    raw: *mut netbind::ethtool_link_ext_stats,
) {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the operation
    // is called for, and `raw` is valid and ours during the call.
    let (dev, raw) = unsafe { (device::<D>(dev), &mut *raw) };

    raw.link_down_events = E::link_down_events(dev.data(), dev);
}

/// # Safety
///
/// Called by the kernel as `nway_reset` of a net device of `D`.
unsafe extern "C" fn nway_reset<D, E: Link<D>>(dev: *mut RawDevice) -> c_int {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for.
    let dev = unsafe { device::<D>(dev) };

    from_result(|| E::nway_reset(dev.data(), dev).map(|()| 0))
}

/// # Safety
///
/// Called by the kernel as `set_phys_id` of a net device of `D`.
unsafe extern "C" fn set_phys_id<D, E: Link<D>>(
    dev: *mut RawDevice,
    state: netbind::ethtool_phys_id_state,
) -> c_int {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for.
    let dev = unsafe { device::<D>(dev) };

    let state = match state {
        netbind::ethtool_phys_id_state_ETHTOOL_ID_ACTIVE => PhysId::Active,
        netbind::ethtool_phys_id_state_ETHTOOL_ID_ON => PhysId::On,
        netbind::ethtool_phys_id_state_ETHTOOL_ID_OFF => PhysId::Off,
        _ => PhysId::Inactive,
    };
    from_result(|| E::set_phys_id(dev.data(), dev, state).map(c_int::from))
}

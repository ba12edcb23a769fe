// SPDX-License-Identifier: GPL-2.0

//! What has names: statistics (`ethtool -S`), self-tests (`-t`), private flags.

use core::fmt::Write;
use kernel::{
    error::{
        from_result,
        VTABLE_DEFAULT_ERROR, //
    },
    fmt,
    prelude::*,
    sync::atomic::Relaxed, //
};

use crate::{
    compat::EOPNOTSUPP,
    text::Text, //
};

use super::{
    device,
    op,
    Device,
    Locked,
    RawDevice,
    Table, //
};

/// A name as the C API has it, NUL included.
type Name = [u8; netbind::ETH_GSTRING_LEN as usize];

/// Where the names or the values of statistics go.
///
/// # Examples
///
/// ```
/// use kernel::prelude::*;
/// use net::{device::Device, ethtool::Statistics};
///
/// struct Port { packets: [u64; 2] }
///
/// fn statistics(port: &Port, _: &Device<Port>, out: &mut Statistics<'_>) {
///     for (index, packets) in port.packets.iter().enumerate() {
///         out.put(fmt!("rx_queue_{index}_packets"), *packets);
///     }
/// }
/// ```
pub struct Statistics<'a>(Sink<'a>);

enum Sink<'a> {
    Count(u32),
    Names(core::slice::IterMut<'a, Name>),
    Values(core::slice::IterMut<'a, u64>),
}

impl Statistics<'_> {
    /// Returns whether values are asked for, and not names or their number alone: those need not be
    /// read from the device then.
    #[must_use]
    pub fn wants_values(&self) -> bool {
        matches!(self.0, Sink::Values(_))
    }

    /// Adds a statistic. Names of more than 31 bytes are cut.
    pub fn put(&mut self, name: fmt::Arguments<'_>, value: u64) {
        match &mut self.0 {
            Sink::Count(count) => *count = count.saturating_add(1),
            Sink::Names(names) => {
                if let Some(to) = names.next() {
                    write_name(to, name);
                }
            }
            Sink::Values(values) => {
                if let Some(to) = values.next() {
                    *to = value;
                }
            }
        }
    }
}

fn write_name(to: &mut Name, name: fmt::Arguments<'_>) {
    // `Text` cuts what does not fit; an error can only come from a `Display` in `name`, and
    // leaves the rest of it out.
    let _ = Text::new(to).write_fmt(name);
}

/// A run of the self-tests.
pub struct TestRun<'a> {
    /// The link may be disturbed.
    pub offline: bool,
    /// A result for each of [`Strings::TESTS`]: 0 for passed, anything else for failed.
    pub results: &'a mut [u64],
}

/// What has names.
#[vtable]
pub trait Strings<D>: 'static {
    /// Names of the self-tests.
    const TESTS: &'static [&'static str] = &[];

    /// Names of the private flags, from bit 0 on.
    const PRIV_FLAGS: &'static [&'static str] = &[];

    /// Lists the statistics. Those listed, and in which order, must be the same as long as RTNL
    /// is held; and should be as long as the net device exists, as a program reads names and values
    /// by calls of their own and fails if there are more or fewer by then.
    fn statistics(_port: &D, _dev: &Device<D>, _out: &mut Statistics<'_>) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Runs the self-tests.
    fn self_test(_port: &D, _dev: &Locked<D>, _run: &mut TestRun<'_>) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Returns the private flags.
    fn priv_flags(_port: &D, _dev: &Device<D>) -> u32 {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Sets the private flags.
    ///
    /// # Errors
    ///
    /// The old flags stay.
    fn set_priv_flags(_port: &D, _dev: &Device<D>, _flags: u32) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

impl<D> Table<D> {
    /// Adds the operations of [`Strings`].
    pub const fn strings<E: Strings<D>>(mut self) -> Self {
        self.ops.get_sset_count = Some(count::<D, E>);
        self.ops.get_strings = Some(names::<D, E>);
        self.ops.get_ethtool_stats = op!(E::HAS_STATISTICS, values::<D, E>);
        self.ops.self_test = op!(E::HAS_SELF_TEST, self_test::<D, E>);
        self.ops.get_priv_flags = op!(E::HAS_PRIV_FLAGS, priv_flags::<D, E>);
        self.ops.set_priv_flags = op!(E::HAS_SET_PRIV_FLAGS, set_priv_flags::<D, E>);
        self
    }
}

/// # Safety
///
/// Called by the kernel as `get_sset_count` of a net device of `D`.
unsafe extern "C" fn count<D, E: Strings<D>>(dev: *mut RawDevice, set: c_int) -> c_int {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for.
    let dev = unsafe { device::<D>(dev) };

    from_result(|| {
        Ok(match u32::try_from(set)? {
            netbind::ethtool_stringset_ETH_SS_STATS if E::HAS_STATISTICS => {
                let count = count_statistics::<D, E>(dev);
                dev.private().statistics().store(count, Relaxed);
                count.try_into()?
            }
            netbind::ethtool_stringset_ETH_SS_TEST if E::HAS_SELF_TEST => {
                E::TESTS.len().try_into()?
            }
            netbind::ethtool_stringset_ETH_SS_PRIV_FLAGS if E::HAS_PRIV_FLAGS => {
                E::PRIV_FLAGS.len().try_into()?
            }
            _ => return Err(EOPNOTSUPP),
        })
    })
}

fn count_statistics<D, E: Strings<D>>(dev: &Device<D>) -> u32 {
    let mut out = Statistics(Sink::Count(0));
    E::statistics(dev.data(), dev, &mut out);
    match out.0 {
        Sink::Count(count) => count,
        Sink::Names(_) | Sink::Values(_) => 0,
    }
}

/// # Safety
///
/// Called by the kernel as `get_strings` of a net device of `D`, with room for as many names at
/// `data` as `count` has returned for `set`; the lock under which that was has been held since.
unsafe extern "C" fn names<D, E: Strings<D>>(dev: *mut RawDevice, set: u32, data: *mut u8) {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for.
    let dev = unsafe { device::<D>(dev) };
    // CAST: `Name` is an array of bytes.
    let data: *mut Name = data.cast();

    let constant = match set {
        netbind::ethtool_stringset_ETH_SS_STATS if E::HAS_STATISTICS => {
            // CAST: Widening.
            let room = dev.private().statistics().load(Relaxed) as usize;
            // SAFETY: There is room for `room` names at `data`, which is what `count` has returned,
            // by the safety requirements of this function. The kernel has initialised it.
            let names = unsafe { core::slice::from_raw_parts_mut(data, room) };
            let mut out = Statistics(Sink::Names(names.iter_mut()));
            E::statistics(dev.data(), dev, &mut out);
            return;
        }
        netbind::ethtool_stringset_ETH_SS_TEST if E::HAS_SELF_TEST => E::TESTS,
        netbind::ethtool_stringset_ETH_SS_PRIV_FLAGS if E::HAS_PRIV_FLAGS => E::PRIV_FLAGS,
        _ => return,
    };
    // SAFETY: There is room at `data` for as many names as these, which is what `count` has
    // returned, by the safety requirements of this function. The kernel has initialised it.
    let names = unsafe { core::slice::from_raw_parts_mut(data, constant.len()) };
    for (to, name) in names.iter_mut().zip(constant) {
        write_name(to, fmt!("{name}"));
    }
}

/// # Safety
///
/// Called by the kernel as `get_ethtool_stats` of a net device of `D`, with room for
/// `raw.n_stats` values at `data`.
unsafe extern "C" fn values<D, E: Strings<D>>(
    dev: *mut RawDevice,
    raw: *mut netbind::ethtool_stats,
    data: *mut u64,
) {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `raw` is valid during the call.
    let (dev, raw) = unsafe { (device::<D>(dev), &*raw) };

    if data.is_null() {
        return;
    }
    // CAST: Widening.
    // SAFETY: By the safety requirements of this function, `data` has room for `raw.n_stats`
    // values, which the kernel has initialised.
    let values = unsafe { core::slice::from_raw_parts_mut(data, raw.n_stats as usize) };
    let mut out = Statistics(Sink::Values(values.iter_mut()));
    E::statistics(dev.data(), dev, &mut out);
}

/// # Safety
///
/// Called by the kernel as `self_test` of a net device of `D`, with room at `data` for as many
/// results as `count` returns.
unsafe extern "C" fn self_test<D, E: Strings<D>>(
    dev: *mut RawDevice,
    raw: *mut netbind::ethtool_test,
    data: *mut u64,
) {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for, and `raw` is valid and ours during the call.
    let (dev, raw) = unsafe { (device::<D>(dev), &mut *raw) };

    // SAFETY: By the safety requirements of this function, `data` has room for a result of each
    // test, which the kernel has initialised.
    let results = unsafe { core::slice::from_raw_parts_mut(data, E::TESTS.len()) };
    let mut run = TestRun {
        offline: raw.flags & netbind::ethtool_test_flags_ETH_TEST_FL_OFFLINE != 0,
        results,
    };
    E::self_test(dev.data(), dev, &mut run);
    if run.results.iter().any(|&result| result != 0) {
        raw.flags |= netbind::ethtool_test_flags_ETH_TEST_FL_FAILED;
    }
}

/// # Safety
///
/// Called by the kernel as `get_priv_flags` of a net device of `D`.
unsafe extern "C" fn priv_flags<D, E: Strings<D>>(dev: *mut RawDevice) -> u32 {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for.
    let dev = unsafe { device::<D>(dev) };

    E::priv_flags(dev.data(), dev)
}

/// # Safety
///
/// Called by the kernel as `set_priv_flags` of a net device of `D`.
unsafe extern "C" fn set_priv_flags<D, E: Strings<D>>(dev: *mut RawDevice, flags: u32) -> c_int {
    // SAFETY: By the safety requirements of this function, `dev` is the net device of `D` that the
    // operation is called for.
    let dev = unsafe { device::<D>(dev) };

    from_result(|| E::set_priv_flags(dev.data(), dev, flags).map(|()| 0))
}

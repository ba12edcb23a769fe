// SPDX-License-Identifier: GPL-2.0

//! The devices a driver is for.
//!
//! A table of our own: what an entry of the kernel crate's refers to its information by, and how
//! the macro for it is called, is up to the release of the kernel. An entry here has the number of
//! its information, from 0 on, as those of C drivers do: what a user adds by `new_id` has the first
//! if it names none, and else one that is that of an entry, which the PCI core checks. Pointers
//! could not be named.
//!
//! C header: [`include/linux/mod_devicetable.h`](srctree/include/linux/mod_devicetable.h)

use core::mem::transmute;
use kernel::pci::DeviceId;

#[cfg(CONFIG_KUNIT = "y")]
#[path = "../tests/ids.rs"]
mod test;

/// `PCI_ANY_ID`.
const ANY: u32 = u32::MAX;

/// `N` devices as the PCI core, and `modpost`, read them;
/// `pci_device_table!` makes one.
///
/// # Invariants
///
/// The `driver_data` of an entry is its position.
#[repr(C)]
pub struct RawIds<const N: usize> {
    ids: [netbind::pci_device_id; N],
    /// All zero.
    end: netbind::pci_device_id,
}

impl<const N: usize> RawIds<N> {
    /// Makes the entries.
    pub const fn new(devices: [DeviceId; N]) -> Self {
        let mut ids = [const { pin_init::zeroed::<netbind::pci_device_id>() }; N];
        let mut n = 0;
        while n < N {
            // SAFETY: `DeviceId` is a transparent wrapper of `pci_device_id`.
            ids[n] = unsafe { transmute::<DeviceId, netbind::pci_device_id>(devices[n]) };
            // INVARIANT: this is its position.
            ids[n].driver_data = n;
            n += 1;
        }
        Self {
            ids,
            end: pin_init::zeroed(),
        }
    }
}

/// `N` devices with information on each; `pci_device_table!` makes one.
///
/// # Invariants
///
/// `infos` has the information on the device at the same position of `ids`.
pub struct IdArray<I: 'static, const N: usize> {
    ids: &'static RawIds<N>,
    infos: [&'static I; N],
}

impl<I: 'static, const N: usize> IdArray<I, N> {
    /// Makes a table.
    pub const fn new(ids: &'static RawIds<N>, infos: [&'static I; N]) -> Self {
        Self { ids, infos }
    }

    /// The table without its length.
    pub const fn table(&'static self) -> IdTable<I> {
        IdTable {
            first: core::ptr::from_ref(self.ids).cast(),
            infos: &self.infos,
        }
    }
}

/// A table of devices with information on each.
///
/// # Invariants
///
/// `first` is the first of the entries of a [`RawIds`], which is static, with as many as there are
/// `infos`.
#[derive(Clone, Copy)]
pub struct IdTable<I: 'static> {
    first: *const netbind::pci_device_id,
    infos: &'static [&'static I],
}

impl<I: 'static> IdTable<I> {
    /// The first entry; the last one is zero.
    pub(super) const fn as_ptr(&self) -> *const netbind::pci_device_id {
        self.first
    }

    /// The information on the device that `id` stands for. `None` if it stands for any device, as
    /// it does when the driver is forced upon one by `driver_override`.
    pub(super) fn info(&self, id: &netbind::pci_device_id) -> Option<&'static I> {
        if id.vendor == ANY && id.device == ANY && id.class_mask == 0 {
            return None;
        }
        self.infos.get(id.driver_data).copied()
    }
}

/// Makes a static table of devices, which also tells who loads modules about them.
///
/// Takes the name of the table, the type of the information on each device, and pairs of
/// [`kernel::pci::DeviceId`] and constant information. Its use is `NAME.table()`. A device that is
/// added by `new_id` has the information on the first, or on the one whose number (from 0 on) is
/// named.
#[macro_export]
macro_rules! pci_device_table {
    ($name:ident, $info:ty, [$(($id:expr, $value:expr $(,)?)),* $(,)?] $(,)?) => {
        static $name: $crate::pci::IdArray<
            $info,
            { <[::kernel::pci::DeviceId]>::len(&[$($id),*]) },
        > = {
            // modpost finds it by this name.
            #[export_name = concat!(
                "__mod_device_table__", ::core::line!(), "__kmod_", ::core::module_path!(),
                "__pci__", stringify!($name)
            )]
            static IDS: $crate::pci::RawIds<
                { <[::kernel::pci::DeviceId]>::len(&[$($id),*]) },
            > = $crate::pci::RawIds::new([$($id),*]);

            $crate::pci::IdArray::new(&IDS, [$(&$value),*])
        };
    };
}

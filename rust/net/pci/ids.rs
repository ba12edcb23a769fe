// SPDX-License-Identifier: GPL-2.0

//! The devices a driver is for.
//!
//! A table of our own: what an entry of the kernel crate's refers to its information by, and how the
//! macro for it is called, is up to the release of the kernel.

use core::{
    marker::PhantomData,
    mem::{
        offset_of,
        transmute,
        MaybeUninit, //
    },
};
use kernel::pci::DeviceId;

type Raw = MaybeUninit<netbind::pci_device_id>;

/// `N` devices with information on each; [`pci_device_table!`](crate::pci_device_table) makes one.
// Pointers in a constant are kept as such only where uninitialised bytes may be as well.
#[repr(C)]
pub struct IdArray<I: 'static, const N: usize> {
    ids: [Raw; N],
    end: Raw,
    info: PhantomData<&'static I>,
}

// SAFETY: It is only read, and refers to what may be shared.
unsafe impl<I: Sync, const N: usize> Sync for IdArray<I, N> {}

impl<I: 'static, const N: usize> IdArray<I, N> {
    /// Makes a table.
    pub const fn new(entries: [(DeviceId, &'static I); N]) -> Self {
        let mut ids = [const { MaybeUninit::uninit() }; N];
        let mut n = 0;
        while n < N {
            // SAFETY: `DeviceId` is a transparent wrapper of `pci_device_id`.
            ids[n] = unsafe { transmute::<DeviceId, Raw>(entries[n].0) };
            // SAFETY: `driver_data` is in the entry, and as big as a pointer.
            unsafe {
                ids[n]
                    .as_mut_ptr()
                    .byte_add(offset_of!(netbind::pci_device_id, driver_data))
                    .cast::<&'static I>()
                    .write(entries[n].1)
            };
            n += 1;
        }
        Self {
            ids,
            end: MaybeUninit::zeroed(),
            info: PhantomData,
        }
    }

    /// The table without its length.
    pub const fn table(&'static self) -> IdTable<I> {
        IdTable {
            first: core::ptr::from_ref(self).cast(),
            info: PhantomData,
        }
    }
}

/// A table of devices with information on each.
#[derive(Clone, Copy)]
pub struct IdTable<I: 'static> {
    first: *const netbind::pci_device_id,
    info: PhantomData<&'static I>,
}

impl<I: 'static> IdTable<I> {
    /// The first entry; the last one is zero.
    pub(super) const fn as_ptr(&self) -> *const netbind::pci_device_id {
        self.first
    }

    /// The information on the device that `id` stands for, if it is on one.
    ///
    /// # Safety
    ///
    /// The PCI core gave `id` to the probe function of a driver with a table of this type.
    pub(super) unsafe fn info<'a>(id: *const netbind::pci_device_id) -> Option<&'a I> {
        // SAFETY: `id` is an entry of the table, whose `driver_data` points to the entry's
        // information, or a dynamic or `override` id, whose `driver_data` is that of a table entry
        // or 0.
        unsafe { ((*id).driver_data as *const I).as_ref() }
    }
}

/// Makes a static table of devices, which also tells who loads modules about them.
///
/// Takes the name of the table, the type of the information on each device, and pairs of
/// [`kernel::pci::DeviceId`] and constant information. Its use is `NAME.table()`.
#[macro_export]
macro_rules! pci_device_table {
    ($name:ident, $info:ty, [$(($id:expr, $value:expr $(,)?)),* $(,)?] $(,)?) => {
        // modpost finds it by this name.
        #[export_name = concat!(
            "__mod_device_table__", ::core::line!(), "__kmod_", ::core::module_path!(),
            "__pci__", stringify!($name)
        )]
        static $name: $crate::pci::IdArray<
            $info,
            { <[::kernel::pci::DeviceId]>::len(&[$($id),*]) },
        > = $crate::pci::IdArray::new([$(($id, &$value)),*]);
    };
}

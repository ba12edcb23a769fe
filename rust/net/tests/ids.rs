// SPDX-License-Identifier: GPL-2.0

//! Unit tests of device tables.

use super::*;

#[kernel::macros::kunit_tests(net_pci_ids)]
mod tests {
    use super::*;
    use kernel::pci::Vendor;

    static IDS: RawIds<2> = RawIds::new([
        DeviceId::from_id(Vendor::REDHAT, 0x0010),
        DeviceId::from_id(Vendor::REDHAT, 0x0011),
    ]);
    static TABLE: IdArray<u32, 2> = IdArray::new(&IDS, [&70, &71]);

    /// What `new_id` makes of a device and the number of its information.
    fn added(driver_data: usize) -> netbind::pci_device_id {
        netbind::pci_device_id {
            vendor: 0x8086,
            device: 0x1234,
            subvendor: ANY,
            subdevice: ANY,
            driver_data,
            ..pin_init::zeroed()
        }
    }

    #[test]
    fn an_entry_has_the_number_of_its_information() {
        let table = TABLE.table();
        for (number, info) in [70, 71].into_iter().enumerate() {
            // SAFETY: The table has two entries.
            let entry = unsafe { &*table.as_ptr().add(number) };
            assert!(entry.driver_data == number);
            assert_eq!(table.info(entry).copied(), Some(info));
        }
        // SAFETY: The entries are followed by one that is zero.
        let end = unsafe { &*table.as_ptr().add(2) };
        assert!(end.vendor == 0 && end.subvendor == 0 && end.class_mask == 0);
    }

    #[test]
    fn a_device_that_is_added_has_the_information_that_is_named() {
        let table = TABLE.table();
        assert_eq!(table.info(&added(0)).copied(), Some(70));
        assert_eq!(table.info(&added(1)).copied(), Some(71));
        // The PCI core does not let these through.
        assert_eq!(table.info(&added(2)), None);
        assert_eq!(table.info(&added(usize::MAX)), None);
    }

    #[test]
    fn there_is_none_on_a_device_the_driver_is_forced_upon() {
        let mut any = added(0);
        (any.vendor, any.device) = (ANY, ANY);
        assert_eq!(TABLE.table().info(&any), None);
    }
}

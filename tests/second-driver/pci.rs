// SPDX-License-Identifier: GPL-2.0

//! How a device comes and goes.

use crate::{
    hw::{
        self,
        Counters,
        Io,
        VECTORS, //
    },
    netdev::{
        self,
        Port,
        State,
        Stats, //
    }, //
};
use kernel::{
    device::Core,
    new_mutex,
    prelude::*,
    sync::Arc,
    types::ScopeGuard, //
};
use net::{
    device::{
        Registration,
        Unregistered, //
    },
    dma,
    irq::{
        Kinds,
        Vectors, //
    },
    pci::{
        self,
        CoreExt, //
    },
    rtnl,
    work::{
        self,
        Queue,
        Work, //
    },
};

/// The driver.
pub(crate) struct E1000e;

net::pci_device_table!(
    PCI_TABLE,
    (),
    [(
        kernel::pci::DeviceId::from_id(kernel::pci::Vendor::INTEL, 0x10d3),
        ()
    )]
);

/// What the driver keeps for a device: its drop ends all work and unregisters the net device.
pub(crate) struct Adapter {
    netdev: Registration<Port>,
}

#[vtable]
impl pci::Driver for E1000e {
    type IdInfo = ();
    type Data = Adapter;
    const ID_TABLE: pci::IdTable<Self::IdInfo> = PCI_TABLE.table();

    fn probe(
        pdev: &kernel::pci::Device<Core<'_>>,
        info: Option<&Self::IdInfo>,
    ) -> impl PinInit<Adapter, Error> {
        // By driver_override, any device can be made to be probed.
        if info.is_none() {
            dev_err!(pdev, "not an Intel 82574L (8086:10d3)\n");
            return Err(ENODEV);
        }
        probe(pdev)
    }

    fn unbind(pdev: &kernel::pci::Device<Core<'_>>, data: Pin<&Adapter>) {
        shut(pdev, &data);
    }

    fn shutdown(pdev: &kernel::pci::Device<Core<'_>>, data: Pin<&Adapter>) {
        shut(pdev, &data);
    }
}

/// Takes the net device down, which silences the controller, and disables the device.
fn shut(pdev: &kernel::pci::Device<Core<'_>>, adapter: &Adapter) {
    {
        let rtnl = rtnl::lock();
        if let Some(dev) = adapter.netdev.under(&rtnl) {
            // Absent, it does not come up again.
            dev.close();
            dev.detach();
        }
    }
    pdev.disable_device();
}

fn probe(pdev: &kernel::pci::Device<Core<'_>>) -> Result<Adapter> {
    pdev.enable_device_mem()?;
    // Dropped last, if the probe fails.
    let enabled = ScopeGuard::new(|| pdev.disable_device());
    pdev.set_master();
    dma::set_mask_and_coherent(pdev, 64)?;
    let io = Io::map(pdev, 0, c"e1000e_rs")?;
    io.probe_presence()
        .inspect_err(|_| dev_err!(pdev, "the controller does not answer\n"))?;
    let vectors = Vectors::alloc(pdev, VECTORS, VECTORS, Kinds::MSIX)?;
    hw::reset(&io)?;
    let mac = hw::read_mac(&io);
    if mac[0] & 1 != 0 || mac == [0; 6] {
        dev_err!(pdev, "the NVM holds no valid MAC address\n");
        return Err(EIO);
    }
    let service = Work::new(pdev.as_ref(), c"e1000e_rs_service", Queue::System)?;
    let reset = Work::new(pdev.as_ref(), c"e1000e_rs_reset", Queue::System)?;
    let port = new_port(pdev, io, vectors, mac, service.handle(), reset.handle())?;
    let mut netdev = Unregistered::<Port>::new(pdev.as_ref(), 1)?.register(
        pdev.as_ref(),
        port.clone(),
        &netdev::config(mac),
    )?;
    netdev.bind_work(service, netdev::service)?;
    netdev.bind_work(reset, netdev::reset)?;
    // Has been opened already, maybe.
    port.service.schedule();
    dev_info!(pdev, "{}: Intel 82574L\n", netdev.name());
    enabled.dismiss();
    Ok(Adapter { netdev })
}

fn new_port(
    pdev: &kernel::pci::Device<Core<'_>>,
    io: Io,
    vectors: Vectors,
    mac: [u8; 6],
    service: work::Handle,
    reset: work::Handle,
) -> Result<Arc<Port>> {
    let stats = Arc::new(Stats::default(), GFP_KERNEL)?;
    Arc::pin_init(
        pin_init!(Port {
            pdev: pdev.into(),
            io,
            vectors,
            service,
            reset,
            stats,
            counters: Counters::default(),
            state <- new_mutex!(State::new(mac)),
        }),
        GFP_KERNEL,
    )
}

// SPDX-License-Identifier: GPL-2.0

//! Which packets are stamped, as user space asks for it.
//!
//! C header: [`include/uapi/linux/net_tstamp.h`](srctree/include/uapi/linux/net_tstamp.h)

use kernel::prelude::*;

/// Declares an `enum` for the numbers of one of C.
macro_rules! numbers {
    ($(#[$meta:meta])* $name:ident: $prefix:ident {
        $($(#[$doc:meta])* $variant:ident = $value:ident,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }

        impl $name {
            /// The number of C.
            const fn number(self) -> u32 {
                match self {
                    $(Self::$variant => netbind::$value,)*
                }
            }

            /// `None` for a number that is not known here.
            fn from_number(number: c_int) -> Option<Self> {
                match u32::try_from(number).ok()? {
                    $(netbind::$value => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Its bit in [`TimestampInfo`](crate::ethtool::TimestampInfo).
            pub const fn bit(self) -> u32 {
                1_u32.wrapping_shl(self.number())
            }
        }
    };
}

numbers! {
    /// Whether packets that are sent are stamped.
    TxStamping: hwtstamp_tx_types {
        /// None is.
        Off = hwtstamp_tx_types_HWTSTAMP_TX_OFF,
        /// Those that ask for it.
        On = hwtstamp_tx_types_HWTSTAMP_TX_ON,
        /// The stamp is also put into Sync messages.
        OneStepSync = hwtstamp_tx_types_HWTSTAMP_TX_ONESTEP_SYNC,
        /// And into Pdelay_Resp messages.
        OneStepP2p = hwtstamp_tx_types_HWTSTAMP_TX_ONESTEP_P2P,
    }
}

numbers! {
    /// Which packets that are received are stamped, at least.
    RxFilter: hwtstamp_rx_filters {
        /// None.
        None = hwtstamp_rx_filters_HWTSTAMP_FILTER_NONE,
        /// All.
        All = hwtstamp_rx_filters_HWTSTAMP_FILTER_ALL,
        /// Some, as the device likes.
        Some = hwtstamp_rx_filters_HWTSTAMP_FILTER_SOME,
        /// PTP version 1 over UDP: event messages.
        V1L4Event = hwtstamp_rx_filters_HWTSTAMP_FILTER_PTP_V1_L4_EVENT,
        /// PTP version 1 over UDP: Sync.
        V1L4Sync = hwtstamp_rx_filters_HWTSTAMP_FILTER_PTP_V1_L4_SYNC,
        /// PTP version 1 over UDP: Delay_Req.
        V1L4DelayReq = hwtstamp_rx_filters_HWTSTAMP_FILTER_PTP_V1_L4_DELAY_REQ,
        /// PTP version 2 over UDP: event messages.
        V2L4Event = hwtstamp_rx_filters_HWTSTAMP_FILTER_PTP_V2_L4_EVENT,
        /// PTP version 2 over UDP: Sync.
        V2L4Sync = hwtstamp_rx_filters_HWTSTAMP_FILTER_PTP_V2_L4_SYNC,
        /// PTP version 2 over UDP: Delay_Req.
        V2L4DelayReq = hwtstamp_rx_filters_HWTSTAMP_FILTER_PTP_V2_L4_DELAY_REQ,
        /// PTP version 2 over Ethernet: event messages.
        V2L2Event = hwtstamp_rx_filters_HWTSTAMP_FILTER_PTP_V2_L2_EVENT,
        /// PTP version 2 over Ethernet: Sync.
        V2L2Sync = hwtstamp_rx_filters_HWTSTAMP_FILTER_PTP_V2_L2_SYNC,
        /// PTP version 2 over Ethernet: Delay_Req.
        V2L2DelayReq = hwtstamp_rx_filters_HWTSTAMP_FILTER_PTP_V2_L2_DELAY_REQ,
        /// PTP version 2: event messages.
        V2Event = hwtstamp_rx_filters_HWTSTAMP_FILTER_PTP_V2_EVENT,
        /// PTP version 2: Sync.
        V2Sync = hwtstamp_rx_filters_HWTSTAMP_FILTER_PTP_V2_SYNC,
        /// PTP version 2: Delay_Req.
        V2DelayReq = hwtstamp_rx_filters_HWTSTAMP_FILTER_PTP_V2_DELAY_REQ,
        /// NTP.
        Ntp = hwtstamp_rx_filters_HWTSTAMP_FILTER_NTP_ALL,
    }
}

/// Which packets are stamped (`struct kernel_hwtstamp_config`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StampConfig {
    /// Those that are sent.
    pub tx: TxStamping,
    /// Those that are received.
    pub rx: RxFilter,
}

impl StampConfig {
    /// None.
    pub const OFF: Self = Self {
        tx: TxStamping::Off,
        rx: RxFilter::None,
    };

    /// # Errors
    ///
    /// `ERANGE` for what is not known here, and so by no driver.
    pub(crate) fn load(raw: &netbind::kernel_hwtstamp_config) -> Result<Self> {
        Ok(Self {
            tx: TxStamping::from_number(raw.tx_type).ok_or(ERANGE)?,
            rx: RxFilter::from_number(raw.rx_filter).ok_or(ERANGE)?,
        })
    }

    pub(crate) fn store(self, raw: &mut netbind::kernel_hwtstamp_config) {
        // CAST: small numbers.
        raw.tx_type = self.tx.number() as c_int;
        raw.rx_filter = self.rx.number() as c_int;
    }
}

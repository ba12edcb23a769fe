// SPDX-License-Identifier: GPL-2.0

//! The clock of IEEE 1588, and the filters that say which frames are stamped with its time.

registers! {
    /// Source port of 5-tuple filter 0..=7, in the byte order of the frame.
    spqf[0..8 @ 0x59c0, 4]: Rw<u32> = kept (qemu 0);
    /// 5-tuple filter 0..=7: protocol, what is compared, what is done.
    ftqf[0..8 @ 0x59e0, 4]: Rw<ftqf::Ftqf> = kept (qemu 0);
    /// Destination port of 5-tuple filter 0..=7, in the byte order of the frame.
    imir[0..8 @ 0x5a80, 4]: Rw<u32> = kept (qemu 0);
    /// What else 5-tuple filter 0..=7 compares.
    imirext[0..8 @ 0x5aa0, 4]: Rw<imirext::Imirext> = kept (qemu 0);
    /// EtherType filter 0..=7.
    etqf[0..8 @ 0x5cb0, 4]: Rw<etqf::Etqf> = 0;
    /// Which messages of PTP are stamped: the control byte of version 1, the type of version 2.
    TSYNCRXCFG @ 0x5f50: Rw<tsyncrxcfg::Tsyncrxcfg> = 0, dumped;
    /// Clock, low word in units of 2^-19 ns: reading it latches the high word.
    SYSTIML @ 0xb600: Ro<u32> = 0;
    /// Clock, high word as it was when the low one was read.
    SYSTIMH @ 0xb604: Ro<u32> = 0;
    /// By how much the clock goes on, and how often; 0 stops it.
    TIMINCA @ 0xb608: Rw<timinca::Timinca> = 0, dumped;
    /// Stamps of sent frames: on or off, and whether there is one.
    TSYNCTXCTL @ 0xb614: Rw<tsynctxctl::Tsynctxctl> = 0, dumped;
    /// Stamp of a sent frame, low word: read before the high word.
    TXSTMPL @ 0xb618: Ro<u32> = 0;
    /// Stamp of a sent frame, high word: reading it makes room for the next stamp.
    TXSTMPH @ 0xb61c: Ro<u32> = 0;
    /// Stamps of received frames: which frames get one, and whether there is one.
    TSYNCRXCTL @ 0xb620: Rw<tsyncrxctl::Tsyncrxctl> = 0, dumped;
    /// Stamp of a received frame, low word: read before the high word.
    RXSTMPL @ 0xb624: Ro<u32> = 0;
    /// Stamp of a received frame, high word: reading it makes room for the next stamp.
    RXSTMPH @ 0xb628: Ro<u32> = 0;
    /// Sender of the stamped message, low word.
    RXSATRL @ 0xb62c: Ro<u32> = 0;
    /// Rest of the sender, and sequence number. In QEMU's model this one makes room for the next stamp.
    RXSATRH @ 0xb630: Ro<u32> = 0;
}

/// Fields of [`ftqf()`].
pub mod ftqf {
    use super::super::bit;

    word!(Ftqf);

    /// The frame goes to the queue.
    pub const QUEUE_ENABLE: Ftqf = Ftqf(bit(8));
    /// The pool is not compared.
    pub const ANY_POOL: Ftqf = Ftqf(bit(15));
    /// The frame is stamped.
    pub const STAMP: Ftqf = Ftqf(bit(27));
    /// The protocol is not compared.
    pub const ANY_PROTOCOL: Ftqf = Ftqf(bit(28));
    /// The source address is not compared.
    pub const ANY_SOURCE: Ftqf = Ftqf(bit(29));
    /// The destination address is not compared.
    pub const ANY_DESTINATION: Ftqf = Ftqf(bit(30));
    /// The source port is not compared.
    pub const ANY_SOURCE_PORT: Ftqf = Ftqf(bit(31));

    /// The IP protocol.
    #[must_use]
    pub const fn protocol(number: u8) -> Ftqf {
        Ftqf(number as u32)
    }

    /// The queue, 0..=15.
    #[must_use]
    pub const fn queue(queue: u8) -> Ftqf {
        Ftqf(((queue & 0xf) as u32) << 16)
    }
}

/// Fields of [`imirext()`].
pub mod imirext {
    use super::super::bit;

    word!(Imirext);

    /// The length of the frame is not compared.
    pub const ANY_SIZE: Imirext = Imirext(bit(12));
    /// The flags of TCP are not compared.
    pub const ANY_FLAGS: Imirext = Imirext(bit(19));
}

/// Fields of [`etqf()`].
pub mod etqf {
    use super::super::bit;

    word!(Etqf);

    /// The filter is in use.
    pub const ENABLE: Etqf = Etqf(bit(26));
    /// The frame goes to the queue.
    pub const QUEUE_ENABLE: Etqf = Etqf(bit(31));
    /// The frame is stamped.
    pub const STAMP: Etqf = Etqf(bit(30));

    /// The EtherType.
    #[must_use]
    pub const fn ethertype(value: u16) -> Etqf {
        Etqf(value as u32)
    }

    /// The queue, 0..=7.
    #[must_use]
    pub const fn queue(queue: u8) -> Etqf {
        Etqf(((queue & 7) as u32) << 16)
    }
}

/// Fields of [`TSYNCRXCFG`].
pub mod tsyncrxcfg {
    word!(Tsyncrxcfg);

    /// The control byte of a message of version 1.
    #[must_use]
    pub const fn control(byte: u8) -> Tsyncrxcfg {
        Tsyncrxcfg(byte as u32)
    }
}

/// Fields of [`TIMINCA`].
pub mod timinca {
    word!(Timinca);

    /// Adds `value` (24 bits) every `period` times 16 ns.
    #[must_use]
    pub const fn every(period: u8, value: u32) -> Timinca {
        Timinca((period as u32) << 24 | value & 0xff_ffff)
    }
}

/// Fields of [`TSYNCTXCTL`].
pub mod tsynctxctl {
    use super::super::bit;

    word!(Tsynctxctl);

    /// There is a stamp.
    pub const VALID: Tsynctxctl = Tsynctxctl(bit(0));
    /// Frames whose descriptor says so are stamped.
    pub const ENABLE: Tsynctxctl = Tsynctxctl(bit(4));
}

/// Fields of [`TSYNCRXCTL`].
pub mod tsyncrxctl {
    use super::super::bit;

    word!(Tsyncrxctl);

    /// There is a stamp.
    pub const VALID: Tsyncrxctl = Tsyncrxctl(bit(0));
    /// The messages of version 1 over UDP that [`TSYNCRXCFG`](super::TSYNCRXCFG) names are stamped.
    pub const V1: Tsyncrxctl = Tsyncrxctl(1 << 1);
    /// All event messages of version 2, over Ethernet and UDP, are stamped.
    pub const V2_EVENTS: Tsyncrxctl = Tsyncrxctl(5 << 1);
    /// Received frames are stamped.
    pub const ENABLE: Tsyncrxctl = Tsyncrxctl(bit(4));
}

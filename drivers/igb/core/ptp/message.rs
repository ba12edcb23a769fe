// SPDX-License-Identifier: GPL-2.0

//! Which received frames are event messages of PTP.
//!
//! The 82576 says of each frame whether it has stamped it. QEMU's model stamps one kind of message and
//! leaves the others out, so for that alone the driver has to look at frames itself.

/// EtherType of PTP over Ethernet.
pub const ETHERTYPE: u16 = 0x88f7;

/// UDP port of event messages.
pub const EVENT_PORT: u16 = 319;

/// Bytes of a frame that [`event`] looks at, at most: Ethernet with a tag, IPv4 with options, UDP, and
/// PTP of version 1 up to its control byte.
pub const LOOKED_AT: usize = 18 + 60 + 8 + 33;

/// An event message: one whose time of arrival matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Version 1, by the control byte: 0 is Sync, 1 Delay_Req.
    V1(u8),
    /// Version 2.
    V2,
}

/// What event message the beginning of a frame is, if it is one. A tag may be in front. Fragments are none.
#[must_use]
pub fn event(frame: &[u8]) -> Option<Event> {
    let mut kind = word(frame, 12)?;
    let mut rest = frame.get(14..)?;
    if kind == 0x8100 {
        kind = word(rest, 2)?;
        rest = rest.get(4..)?;
    }
    match kind {
        ETHERTYPE => version_2(rest),
        0x0800 => over_udp(ipv4(rest)?),
        0x86dd => over_udp(ipv6(rest)?),
        _ => None,
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    match bytes.get(at..)? {
        [high, low, ..] => Some(u16::from_be_bytes([*high, *low])),
        _ => None,
    }
}

/// What is behind the header, if that is UDP and not a fragment.
fn ipv4(packet: &[u8]) -> Option<&[u8]> {
    let length = usize::from(packet.first()? & 0xf).wrapping_mul(4);
    let is_whole = word(packet, 6)? & 0x3fff == 0;
    (length >= 20 && is_whole && *packet.get(9)? == 17).then_some(packet.get(length..)?)
}

fn ipv6(packet: &[u8]) -> Option<&[u8]> {
    (*packet.get(6)? == 17).then_some(packet.get(40..)?)
}

fn over_udp(datagram: &[u8]) -> Option<Event> {
    if word(datagram, 2)? != EVENT_PORT {
        return None;
    }
    let message = datagram.get(8..)?;
    if word(message, 0)? == 1 {
        return Some(Event::V1(*message.get(32)?))
            .filter(|event| matches!(event, Event::V1(0 | 1)));
    }
    version_2(message)
}

/// Types 0 to 3 are Sync, Delay_Req, Pdelay_Req and Pdelay_Resp.
fn version_2(message: &[u8]) -> Option<Event> {
    match message {
        [kind, version, ..] if version & 0xf == 2 && kind & 0xf < 4 => Some(Event::V2),
        _ => None,
    }
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_ptp_message))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    /// A frame of zeros but for bytes at offsets.
    fn frame(bytes: &[(usize, u8)]) -> [u8; LOOKED_AT] {
        let mut frame = [0; LOOKED_AT];
        for (at, byte) in bytes {
            frame[*at] = *byte;
        }
        frame
    }

    fn ethernet(kind: u8, version: u8) -> [u8; LOOKED_AT] {
        frame(&[(12, 0x88), (13, 0xf7), (14, kind), (15, version)])
    }

    const UDP4: [(usize, u8); 6] = [
        (12, 0x08),
        (14, 0x45),
        (23, 17),
        (36, 0x01),
        (37, 0x3f),
        (43, 2),
    ];

    #[test]
    fn four_types_of_version_2_are_events() {
        for kind in 0..=255 {
            let expected = (kind & 0xf < 4).then_some(Event::V2);
            assert_eq!(event(&ethernet(kind, 2)), expected);
            assert_eq!(event(&ethernet(kind, 0x12)), expected);
        }
        assert_eq!(event(&ethernet(0, 1)), None);
        assert_eq!(event(&ethernet(0, 3)), None);
    }

    #[test]
    fn a_tag_may_be_in_front() {
        let tagged = frame(&[(12, 0x81), (16, 0x88), (17, 0xf7), (18, 3), (19, 2)]);
        assert_eq!(event(&tagged), Some(Event::V2));
    }

    #[test]
    fn udp_to_the_event_port_counts() {
        let udp4 = frame(&UDP4);
        assert_eq!(event(&udp4), Some(Event::V2));
        for (at, byte) in [(23, 6), (20, 0x20), (21, 1), (37, 0x40), (14, 0x44)] {
            let mut other = udp4;
            other[at] = byte;
            assert_eq!(event(&other), None);
        }
        let udp6 = frame(&[
            (12, 0x86),
            (13, 0xdd),
            (20, 17),
            (56, 1),
            (57, 0x3f),
            (63, 2),
        ]);
        assert_eq!(event(&udp6), Some(Event::V2));
    }

    #[test]
    fn options_of_ipv4_are_stepped_over() {
        let options = frame(&[
            (12, 0x08),
            (14, 0x4f),
            (23, 17),
            (76, 0x01),
            (77, 0x3f),
            (82, 1),
            (83, 2),
        ]);
        assert_eq!(event(&options), Some(Event::V2));
    }

    #[test]
    fn version_1_is_told_by_its_control_byte() {
        for (control, expected) in [(0, Some(0)), (1, Some(1)), (2, None), (255, None)] {
            let mut v1 = frame(&UDP4);
            v1[42] = 0;
            v1[43] = 1;
            v1[42 + 32] = control;
            assert_eq!(event(&v1), expected.map(Event::V1));
        }
    }

    #[test]
    fn what_is_cut_off_is_no_event() {
        for whole in [ethernet(0, 2), frame(&UDP4)] {
            for len in 0..whole.len() {
                let needed = if whole[12] == 0x88 { 16 } else { 44 };
                assert_eq!(event(&whole[..len]).is_some(), len >= needed);
            }
        }
    }
}

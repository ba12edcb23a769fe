// SPDX-License-Identifier: GPL-2.0

//! Unit tests of rules for received packets.

use super::*;

#[kunit_tests(net_flow_rules)]
mod tests {
    use super::*;
    use core::mem::{
        offset_of,
        MaybeUninit, //
    };

    type Spec = netbind::ethtool_rx_flow_spec;

    const SIZE: usize = size_of::<Spec>();

    /// The bytes a user is shown of a rule, written over bytes of somebody else.
    fn shown(flow: Flow) -> [u8; SIZE] {
        let mut spec = MaybeUninit::<Spec>::uninit();
        // SAFETY: The memory is ours, and all bytes of a specification are valid, whatever they
        // are.
        unsafe {
            spec.as_mut_ptr().write_bytes(0xff, 1);
            write(spec.assume_init_mut(), FlowRule { flow, queue: 3 }, 7);
            spec.as_ptr().cast::<[u8; SIZE]>().read()
        }
    }

    /// Whether `bytes` have these numbers at these offsets, and are 0 besides.
    fn is_all(bytes: &[u8; SIZE], numbers: &[(usize, &[u8])]) -> bool {
        let mut expected = [0; SIZE];
        let rule: [(usize, &[u8]); 2] = [
            (offset_of!(Spec, ring_cookie), &3u64.to_ne_bytes()),
            (offset_of!(Spec, location), &7u32.to_ne_bytes()),
        ];
        for numbers in [&rule, numbers] {
            for (offset, number) in numbers {
                expected[*offset..][..number.len()].copy_from_slice(number);
            }
        }
        expected == *bytes
    }

    const VALUE: usize = offset_of!(Spec, h_u);
    const MASK: usize = offset_of!(Spec, m_u);
    const ALL: &[u8] = &[0xff; 4];

    #[test]
    fn a_rule_for_a_protocol_says_nothing_between_its_members() -> Result {
        let bytes = shown(Flow::Ip4(Ip4Fields {
            protocol: Some(UDP),
            source: Some([10, 0, 0, 1]),
            destination_port: Some(0x1234),
            ..Ip4Fields::default()
        }));
        let port = offset_of!(netbind::ethtool_tcpip4_spec, pdst);
        assert!(is_all(
            &bytes,
            &[
                (0, &netbind::UDP_V4_FLOW.to_ne_bytes()),
                (VALUE, &[10, 0, 0, 1]),
                (MASK, ALL),
                (VALUE + port, &[0x12, 0x34]),
                (MASK + port, &ALL[..2]),
            ]
        ));
        Ok(())
    }

    #[test]
    fn a_rule_for_ipv4_says_nothing_between_its_members() -> Result {
        type Fields = netbind::ethtool_usrip4_spec;
        let bytes = shown(Flow::Ip4(Ip4Fields {
            protocol: Some(47),
            destination: Some([10, 0, 0, 2]),
            ..Ip4Fields::default()
        }));
        assert!(is_all(
            &bytes,
            &[
                (0, &netbind::IPV4_USER_FLOW.to_ne_bytes()),
                (VALUE + offset_of!(Fields, ip4dst), &[10, 0, 0, 2]),
                (VALUE + offset_of!(Fields, proto), &[47]),
                (VALUE + offset_of!(Fields, ip_ver), &[IP_VERSION_4]),
                (MASK + offset_of!(Fields, ip4dst), ALL),
                (MASK + offset_of!(Fields, proto), &ALL[..1]),
            ]
        ));
        Ok(())
    }

    #[test]
    fn a_rule_for_an_ethertype_says_nothing_between_its_members() -> Result {
        let bytes = shown(Flow::EtherType(0x88f7));
        let kind = offset_of!(netbind::ethhdr, h_proto);
        assert!(is_all(
            &bytes,
            &[
                (0, &netbind::ETHER_FLOW.to_ne_bytes()),
                (VALUE + kind, &[0x88, 0xf7]),
                (MASK + kind, &ALL[..2]),
            ]
        ));
        Ok(())
    }
}

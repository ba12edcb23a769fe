// SPDX-License-Identifier: GPL-2.0

//! Receive side scaling: redirection table, key and hash types.

use crate::regs::{
    mrqc::{
        self,
        Mrqc, //
    },
    RETA_WORDS,
    RSSRK_WORDS, //
};

/// Entries of the redirection table.
pub const TABLE_SIZE: usize = RETA_WORDS * 4;
/// Bytes of the hash key.
pub const KEY_SIZE: usize = RSSRK_WORDS * 4;

/// An entry of a redirection table names a queue that is not in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchQueue;

/// Desired receive side scaling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rss {
    queues: u8,
    /// The administrator has set the table.
    custom: bool,
    table: [u8; TABLE_SIZE],
    /// Hash key, in the order of the bytes in the packet it is applied to.
    pub key: [u8; KEY_SIZE],
    /// Hash TCP ports over IPv4 as well as addresses.
    pub tcp_v4: bool,
    /// Hash TCP ports over IPv6 as well.
    pub tcp_v6: bool,
    /// Hash UDP ports over IPv4 as well: reorders fragmented datagrams.
    pub udp_v4: bool,
    /// Hash UDP ports over IPv6 as well.
    pub udp_v6: bool,
}

impl Rss {
    /// Spreads evenly over `queues` (1..=8) with this key.
    #[must_use]
    pub fn new(queues: u8, key: [u8; KEY_SIZE]) -> Self {
        let mut rss = Self {
            queues: 1,
            custom: false,
            table: [0; TABLE_SIZE],
            key,
            tcp_v4: true,
            tcp_v6: true,
            udp_v4: false,
            udp_v6: false,
        };
        rss.set_queues(queues);
        rss
    }

    /// Number of queues in use, 1..=8.
    #[must_use]
    pub const fn queues(&self) -> u8 {
        self.queues
    }

    /// The redirection table: a queue per entry.
    #[must_use]
    pub const fn table(&self) -> &[u8; TABLE_SIZE] {
        &self.table
    }

    /// Changes the number of queues, clamped to 1..=8. A table the administrator set is kept if all
    /// its queues are still there.
    pub fn set_queues(&mut self, queues: u8) {
        let queues = queues.clamp(1, 8);
        let fits = self.table.iter().all(|queue| *queue < queues);
        if self.custom && fits {
            self.queues = queues;
            return;
        }
        self.queues = queues;
        self.reset_table();
    }

    /// Goes back to an even spread.
    pub fn reset_table(&mut self) {
        self.custom = false;
        self.table = even(self.queues);
    }

    /// Sets the redirection table. Setting the even spread goes back to it: it follows the number of
    /// queues then.
    ///
    /// # Errors
    ///
    /// [`NoSuchQueue`] if an entry is not below [`Rss::queues`].
    pub fn set_table(&mut self, table: &[u8; TABLE_SIZE]) -> Result<(), NoSuchQueue> {
        if table.iter().any(|queue| *queue >= self.queues) {
            return Err(NoSuchQueue);
        }
        self.custom = *table != even(self.queues);
        self.table = *table;
        Ok(())
    }

    /// Words of the redirection table register.
    ///
    /// With pools an entry is the high bit of a four-bit queue number, because the two queues of a
    /// pool are eight apart.
    #[must_use]
    pub fn reta(&self, uses_pools: bool) -> [u32; RETA_WORDS] {
        let shift = if uses_pools { 3 } else { 0 };
        let mut words = [0; RETA_WORDS];
        for (word, entries) in words.iter_mut().zip(self.table.chunks_exact(4)) {
            if let [a, b, c, d] = *entries {
                *word = u32::from_le_bytes([a, b, c, d]) << shift;
            }
        }
        words
    }

    /// Words of the hash key register.
    #[must_use]
    pub fn rssrk(&self) -> [u32; RSSRK_WORDS] {
        let mut words = [0; RSSRK_WORDS];
        for (word, bytes) in words.iter_mut().zip(self.key.chunks_exact(4)) {
            if let [a, b, c, d] = *bytes {
                *word = u32::from_le_bytes([a, b, c, d]);
            }
        }
        words
    }

    /// Value of `MRQC`. Its lowest bit is what turns pools on.
    #[must_use]
    pub fn mrqc(&self, uses_pools: bool) -> Mrqc {
        let mode = match (uses_pools, self.queues) {
            (false, _) => mrqc::ENABLE_RSS_MQ,
            (true, 1) => mrqc::ENABLE_VMDQ,
            (true, _) => mrqc::ENABLE_VMDQ_RSS_MQ,
        };
        let tcp_v6 = mrqc::RSS_FIELD_IPV6_TCP | mrqc::RSS_FIELD_IPV6_TCP_EX;
        mode | mrqc::RSS_FIELD_IPV4
            | mrqc::RSS_FIELD_IPV6
            | mrqc::RSS_FIELD_IPV4_TCP.when(self.tcp_v4)
            | tcp_v6.when(self.tcp_v6)
            | mrqc::RSS_FIELD_IPV4_UDP.when(self.udp_v4)
            | mrqc::RSS_FIELD_IPV6_UDP.when(self.udp_v6)
    }
}

/// The kernel's default table: queues in turn. `queues` is 1..=8.
fn even(queues: u8) -> [u8; TABLE_SIZE] {
    let mut table = [0; TABLE_SIZE];
    for (entry, queue) in table.iter_mut().zip((0..queues).cycle()) {
        *entry = queue;
    }
    table
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_rss))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    fn rss(queues: u8) -> Rss {
        Rss::new(queues, [0; KEY_SIZE])
    }

    #[test]
    fn default_table_is_even() {
        for queues in 1..=8 {
            let r = rss(queues);
            for queue in 0..queues {
                let n = r.table().iter().filter(|q| **q == queue).count();
                let even = TABLE_SIZE / usize::from(queues);
                assert!((even..=even + 1).contains(&n));
            }
        }
        assert_eq!(rss(0).queues(), 1);
        assert_eq!(rss(9).queues(), 8);
    }

    #[test]
    fn entries_are_little_endian_and_shifted_with_pools() {
        let mut r = rss(2);
        let mut table = [0; TABLE_SIZE];
        table[1] = 1;
        r.set_table(&table).unwrap();
        assert_eq!(r.reta(false)[0], 0x100);
        assert_eq!(r.reta(true)[0], 0x800);
    }

    #[test]
    fn table_must_name_queues_in_use() {
        let mut r = rss(4);
        assert_eq!(r.set_table(&[4; TABLE_SIZE]), Err(NoSuchQueue));
        assert_eq!(r.set_table(&[3; TABLE_SIZE]), Ok(()));
        r.set_queues(5);
        assert_eq!(r.table(), &[3; TABLE_SIZE]);
        r.set_queues(3);
        assert_eq!(r.table()[..4], [0, 1, 2, 0]);
    }

    #[test]
    fn even_table_follows_the_number_of_queues() {
        let mut r = rss(4);
        r.set_table(&[1; TABLE_SIZE]).unwrap();
        let even = rss(4);
        r.set_table(even.table()).unwrap();
        r.set_queues(6);
        assert_eq!(r.table(), rss(6).table());
    }

    #[test]
    fn modes() {
        assert_eq!(rss(1).mrqc(false).bits() & 7, 2);
        assert_eq!(rss(8).mrqc(false).bits() & 7, 2);
        assert_eq!(rss(1).mrqc(true).bits() & 7, 3);
        assert_eq!(rss(2).mrqc(true).bits() & 7, 5);
        let mut r = rss(1);
        r.udp_v4 = true;
        r.udp_v6 = true;
        assert_eq!(r.mrqc(false), 0x00f7_0002);
        r.tcp_v4 = false;
        assert_eq!(r.mrqc(false), 0x00f6_0002);
        r.tcp_v6 = false;
        assert_eq!(r.mrqc(false), 0x00d2_0002);
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The time of the PTP hardware clock.
//!
//! The counter of the controller (`SYSTIM`) is never set and its rate (`TIMINCA`) never changed while
//! it runs: time and rate are applied here, to what the counter shows. On the 82576, `TIMINCA` could be
//! adjusted instead. But its value has 24 bits, so that its steps are 119 ppb, which a servo would have
//! to switch between; here they are less than 2^-53. And each write of it makes the clock of QEMU's model
//! jump by as much as 36 minutes. So one way is right on both.
//!
//! The counter wraps every 2^45 ns, which is 9.77 hours: a [`Clock`] has to [`look`](Clock::look) at it
//! more often than every 4.88 hours. A reset stops the counter and sets it back. So the clock goes on by
//! the system's clock between [`Clock::stop`] and [`Clock::start`].

/// The counter has units of 2^-19 ns.
pub const SHIFT: u32 = 19;

/// How often the counter goes on, in units of 16 ns, and by how much: `TIMINCA`.
pub const PERIOD: u8 = 1;
/// See [`PERIOD`]: 16 ns.
pub const INCREMENT: u32 = 16 << SHIFT;

/// Largest adjustment of the rate, in parts per billion: the clock goes on at any.
pub const MAX_ADJUSTMENT: i32 = 999_999_999;

/// Bits behind the point of the fraction in [`Rate`].
const FRACTION_BITS: u32 = 54;

/// What the kernel counts adjustments of rates in: 2^-16 ppm, of which 1 makes this many.
const SCALED_PPM: u64 = 65_536_000_000;

/// How much faster or slower than the counter the clock goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Q0.54.
    fraction: u64,
    slower: bool,
}

impl Rate {
    /// That of the counter.
    pub const NOMINAL: Self = Self {
        fraction: 0,
        slower: false,
    };

    /// A rate that differs from the counter's by `scaled_ppm`, in units of 2^-16 ppm. `None` if the
    /// clock would go at twice the rate or more, or not forwards.
    #[must_use]
    pub const fn new(scaled_ppm: i64) -> Option<Self> {
        let size = scaled_ppm.unsigned_abs();
        if size >= SCALED_PPM {
            return None;
        }
        // In two halves, as less than 2^36 times 2^27 are less than 2^63.
        let half = FRACTION_BITS / 2;
        let high = (size << half) / SCALED_PPM;
        let rest = (size << half) % SCALED_PPM;
        let low = (rest << half) / SCALED_PPM;
        Some(Self {
            fraction: high << half | low,
            slower: scaled_ppm < 0,
        })
    }

    /// How far the clock goes while the counter goes on by `size` units, less that.
    const fn extra(self, size: u64) -> i128 {
        // CAST: less than 2^118.
        let extra = ((size as u128).wrapping_mul(self.fraction as u128) >> FRACTION_BITS) as i128;
        if self.slower {
            extra.wrapping_neg()
        } else {
            extra
        }
    }

    /// How far the clock goes while the counter goes on by `delta` units.
    const fn scale(self, delta: i64) -> i128 {
        let extra = self.extra(delta.unsigned_abs());
        if delta < 0 {
            (delta as i128).wrapping_sub(extra)
        } else {
            (delta as i128).wrapping_add(extra)
        }
    }

    /// The same for nanoseconds: units of 2^-19 ns.
    const fn scale_ns(self, ns: u64) -> i128 {
        (ns as i128).wrapping_add(self.extra(ns)) << SHIFT
    }
}

/// A look at both clocks, as close to each other as can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What the counter shows. Not asked for while the clock is stopped.
    pub counter: u64,
    /// Nanoseconds of a clock of the system that goes on while the system sleeps.
    pub system: u64,
}

/// The time would not be one that the kernel can express.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange;

/// A clock on top of the counter. Times are nanoseconds since the epoch of whoever set it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// What the time was, in units of 2^-19 ns, when both clocks showed `at`.
    base: i128,
    at: Reading,
    rate: Rate,
    running: bool,
}

impl Clock {
    /// A clock that shows `time` when the system's shows `system`, and is stopped.
    #[must_use]
    pub const fn new(time: i64, system: u64) -> Self {
        Self {
            base: (time as i128) << SHIFT,
            at: Reading { counter: 0, system },
            rate: Rate::NOMINAL,
            running: false,
        }
    }

    /// The counter runs.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        self.running
    }

    /// The time at a reading that is not older than the last but by less than 4.88 hours.
    #[must_use]
    pub fn time(&self, now: Reading) -> i64 {
        nanoseconds(self.exact(now))
    }

    /// The time at which the counter showed `counter`. `None` while the clock is stopped.
    #[must_use]
    pub fn time_of(&self, counter: u64) -> Option<i64> {
        self.running.then(|| nanoseconds(self.counted(counter)))
    }

    /// Takes note of where the counter is, so that it does not wrap unseen.
    pub fn look(&mut self, now: Reading) {
        self.base = self.exact(now);
        self.at = now;
    }

    /// The counter is about to be stopped. A counter that has not gone on as the system's clock, since
    /// a reset has already stopped it, is not believed. If the clock is stopped nothing happens.
    pub fn stop(&mut self, now: Reading) {
        if !self.running {
            return;
        }
        if !self.is_plausible(now) {
            self.running = false;
        }
        self.look(now);
        self.running = false;
    }

    /// The counter runs again, from wherever. If the clock runs nothing happens.
    pub fn start(&mut self, now: Reading) {
        if self.running {
            return;
        }
        self.look(now);
        self.running = true;
    }

    /// Sets the time.
    pub fn set(&mut self, now: Reading, time: i64) {
        self.base = i128::from(time) << SHIFT;
        self.at = now;
    }

    /// Moves the time by `delta` nanoseconds.
    ///
    /// # Errors
    ///
    /// The time would not fit into 64 bits; the clock is as it was.
    pub fn shift(&mut self, now: Reading, delta: i64) -> Result<(), OutOfRange> {
        let moved = self.exact(now).wrapping_add(i128::from(delta) << SHIFT);
        i64::try_from(moved >> SHIFT).map_err(|_| OutOfRange)?;
        self.base = moved;
        self.at = now;
        Ok(())
    }

    /// From now on the clock goes at this rate. The time does not jump.
    pub fn set_rate(&mut self, now: Reading, rate: Rate) {
        self.look(now);
        self.rate = rate;
    }

    /// The time in units of 2^-19 ns.
    fn exact(&self, now: Reading) -> i128 {
        if self.running {
            return self.counted(now.counter);
        }
        let slept = now.system.saturating_sub(self.at.system);
        self.base.wrapping_add(self.rate.scale_ns(slept))
    }

    /// The same by the counter alone, which may have wrapped, and may show an earlier time than the last
    /// reading.
    fn counted(&self, counter: u64) -> i128 {
        // CAST: the difference, with its sign.
        let delta = counter.wrapping_sub(self.at.counter) as i64;
        self.base.wrapping_add(self.rate.scale(delta))
    }

    /// The counter has gone on by what the system's clock has, give or take a sixteenth and 10 ms.
    fn is_plausible(&self, now: Reading) -> bool {
        let counted = now.counter.wrapping_sub(self.at.counter) >> SHIFT;
        let system = now.system.saturating_sub(self.at.system);
        counted.abs_diff(system) <= (system >> 4).saturating_add(10_000_000)
    }
}

/// Whole nanoseconds, of a time that fits but in three centuries.
fn nanoseconds(time: i128) -> i64 {
    i64::try_from(time >> SHIFT).unwrap_or(if time < 0 { i64::MIN } else { i64::MAX })
}

#[cfg_attr(CONFIG_KUNIT = "y", kernel::prelude::kunit_tests(igb_core_ptp_clock))]
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const HOUR: u64 = 3600 * SECOND;

    /// Both clocks `ns` after the counter showed `from`.
    fn after(from: u64, ns: u64) -> Reading {
        Reading {
            counter: from.wrapping_add(ns << SHIFT),
            system: 7 + ns,
        }
    }

    /// One that shows `time`, and a counter that shows `from` then.
    fn running(time: i64, from: u64) -> Clock {
        let mut clock = Clock::new(time, 7);
        clock.start(after(from, 0));
        clock
    }

    fn rate(scaled_ppm: i64) -> Rate {
        Rate::new(scaled_ppm).unwrap()
    }

    #[test]
    fn goes_on_as_the_counter() {
        let clock = running(5, 0x1234_5678_9abc);
        assert_eq!(clock.time(after(0x1234_5678_9abc, 0)), 5);
        assert_eq!(clock.time(after(0x1234_5678_9abc, SECOND)), 1_000_000_005);
        assert_eq!(clock.time_of(0x1234_5678_9abc + (9 << SHIFT)), Some(14));
    }

    #[test]
    fn parts_of_a_nanosecond_are_kept() {
        let mut clock = running(0, 0);
        for n in 1..=16_u64 {
            let counter = n * (1 << SHIFT) / 16;
            clock.look(Reading { counter, system: 7 });
        }
        assert_eq!(clock.time_of(1 << SHIFT), Some(1));
        assert_eq!(clock.time_of((1 << SHIFT) - 1), Some(0));
    }

    #[test]
    fn the_counter_may_wrap_between_looks() {
        let from = u64::MAX - 100;
        let mut clock = running(0, from);
        let mut passed = 0;
        for _ in 0..30 {
            passed += 4 * HOUR;
            clock.look(after(from, passed));
            assert_eq!(clock.time(after(from, passed)), passed as i64);
        }
    }

    #[test]
    fn a_stamp_may_be_older_than_the_last_look() {
        let mut clock = running(1000, u64::MAX - (5 << SHIFT));
        clock.look(after(u64::MAX - (5 << SHIFT), SECOND));
        assert_eq!(clock.time_of(u64::MAX - (5 << SHIFT)), Some(1000));
        assert_eq!(clock.time_of(u64::MAX - (3 << SHIFT)), Some(1002));
    }

    #[test]
    fn a_change_of_the_rate_is_no_jump() {
        let mut clock = running(0, 0);
        let mut last = 0;
        for (n, scaled_ppm) in [65_536, -65_536, 0, 6_553_599_999, -6_553_599_999]
            .into_iter()
            .cycle()
            .take(1000)
            .enumerate()
        {
            let now = after(0, (n as u64 + 1) * 1000);
            let before = clock.time(now);
            clock.set_rate(now, rate(scaled_ppm));
            assert_eq!(clock.time(now), before);
            assert!(before >= last);
            last = before;
        }
    }

    #[test]
    fn rates_are_exact() {
        for (scaled_ppm, gained) in [
            (0, 0),
            // 1 ppm, -1 ppm, 100 ppm, half of everything.
            (65_536, 1000),
            (-65_536, -1000),
            (6_553_600, 100_000),
            (32_768_000_000, 500_000_000),
            (-32_768_000_000, -500_000_000),
        ] {
            let mut clock = running(0, 0);
            clock.set_rate(after(0, 0), rate(scaled_ppm));
            let error = clock.time(after(0, SECOND)) - SECOND as i64 - gained;
            assert!((-1..=1).contains(&error));
        }
    }

    #[test]
    fn the_smallest_rate_counts() {
        let mut clock = running(0, 0);
        clock.set_rate(after(0, 0), rate(1));
        // 2^-16 ppm of an hour are 54.9 ns.
        assert_eq!(clock.time(after(0, HOUR)) - HOUR as i64, 54);
    }

    #[test]
    fn rates_at_which_it_would_not_go_forwards_are_refused() {
        let most = i64::from(MAX_ADJUSTMENT) * 65_536 / 1000;
        assert!(Rate::new(most).is_some());
        assert!(Rate::new(-most).is_some());
        for scaled_ppm in [65_536_000_000, -65_536_000_000, i64::MAX, i64::MIN] {
            assert!(Rate::new(scaled_ppm).is_none());
        }
        let mut clock = running(0, 0);
        clock.set_rate(after(0, 0), rate(-most));
        assert!(clock.time(after(0, HOUR)) > 3000);
    }

    #[test]
    fn any_distance_can_be_moved() {
        for delta in [0, 1, -1, i64::MAX, i64::MIN + 1, -1_000_000_000_000_000_000] {
            let mut clock = running(0, 99);
            assert_eq!(clock.shift(after(99, 0), delta), Ok(()));
            assert_eq!(clock.time(after(99, 0)), delta);
        }
    }

    #[test]
    fn a_time_that_does_not_exist_is_refused() {
        let mut clock = running(i64::MAX - 5, 0);
        assert_eq!(clock.shift(after(0, 0), 6), Err(OutOfRange));
        assert_eq!(clock.time(after(0, 0)), i64::MAX - 5);
        let mut clock = running(i64::MIN + 5, 0);
        assert_eq!(clock.shift(after(0, 0), -6), Err(OutOfRange));
        assert_eq!(clock.time(after(0, 0)), i64::MIN + 5);
        // And what goes on for too long stays where it is.
        assert_eq!(running(i64::MAX, 0).time(after(0, 10)), i64::MAX);
    }

    #[test]
    fn it_can_be_set_while_the_rate_is_changed() {
        let mut clock = running(0, 5);
        clock.set_rate(after(5, 0), rate(32_768_000_000));
        clock.set(after(5, SECOND), 42);
        assert_eq!(clock.time(after(5, SECOND)), 42);
        assert_eq!(clock.time(after(5, 2 * SECOND)), 1_500_000_042);
    }

    #[test]
    fn a_reset_is_no_jump() {
        let mut clock = running(100, 0x5555);
        clock.stop(after(0x5555, SECOND));
        assert!(!clock.is_running());
        assert_eq!(clock.time_of(0), None);
        // The counter starts from somewhere else, 20 ms later.
        clock.start(Reading {
            counter: 3,
            system: 7 + SECOND + 20_000_000,
        });
        assert_eq!(clock.time_of(3), Some(1_020_000_100));
    }

    #[test]
    fn a_sleep_of_days_is_counted() {
        let mut clock = running(0, 0);
        clock.set_rate(after(0, 0), rate(65_536));
        clock.stop(after(0, 0));
        let week = 7 * 24 * HOUR;
        let woken = Reading {
            counter: 0,
            system: 7 + week,
        };
        assert!((clock.time(woken) - (week + week / 1_000_000) as i64).abs() <= 1);
    }

    #[test]
    fn a_counter_that_was_reset_unseen_is_not_believed() {
        for counter in [0, 17 << SHIFT, u64::MAX] {
            let mut clock = running(0, 50 * SECOND << SHIFT);
            clock.look(after(50 * SECOND << SHIFT, SECOND));
            let now = Reading {
                counter,
                system: 7 + 3 * SECOND,
            };
            clock.stop(now);
            assert_eq!(clock.time(now), 3 * SECOND as i64);
        }
    }

    #[test]
    fn it_can_be_set_while_it_is_stopped() {
        let mut clock = running(0, 0);
        clock.stop(after(0, 0));
        clock.set(after(0, 10), 1000);
        assert_eq!(clock.shift(after(0, 20), 5), Ok(()));
        clock.set_rate(after(0, 30), rate(0));
        // Stopping twice and starting twice change nothing.
        clock.stop(after(999, 30));
        assert_eq!(clock.time(after(0, 40)), 1035);
        clock.start(after(77, 50));
        clock.start(after(0, 50));
        assert_eq!(clock.time(after(77, 60)), 1055);
    }
}

// SPDX-License-Identifier: GPL-2.0

use super::*;

fn station(n: u8, bridge: usize) -> Station {
    Station {
        addr: [2, 0, 0, 0, 0, n],
        vid: 0,
        bridge,
    }
}

fn known(stations: &Stations) -> usize {
    stations.with(|all| all.count())
}

#[kunit_tests(net_bridge)]
mod tests {
    use super::*;

    #[test]
    fn a_station_is_known_once_per_bridge_and_vlan() -> Result {
        let stations = Stations::new()?;
        let mut table = stations.table.lock();
        assert!(table.add(station(1, 1), false));
        assert!(!table.add(station(1, 1), false));
        assert!(table.add(station(1, 2), false));
        assert!(!table.remove(station(1, 3)));
        assert!(table.remove(station(1, 1)));
        drop(table);
        assert_eq!(known(&stations), 1);
        Ok(())
    }

    #[test]
    fn the_table_does_not_grow() -> Result {
        let stations = Stations::new()?;
        for bridge in 0..2 * MAX_STATIONS {
            let added = stations.table.lock().add(station(1, bridge), false);
            assert_eq!(added, bridge < MAX_STATIONS);
        }
        assert_eq!(known(&stations), MAX_STATIONS);
        // There is room again when one goes.
        assert!(stations.table.lock().remove(station(1, 0)));
        assert!(stations.table.lock().add(station(2, 0), false));
        Ok(())
    }

    #[test]
    fn what_is_not_read_again_is_forgotten() -> Result {
        let stations = Stations::new()?;
        let mut table = stations.table.lock();
        table.add(station(1, 1), false);
        table.add(station(2, 1), false);
        table.begin_reading();
        assert!(!table.add(station(2, 1), false));
        assert!(table.end_reading());
        assert!(!table.end_reading());
        drop(table);
        let left = stations.with(|all| all.next());
        assert_eq!(left.map(|address| address.addr), Some([2, 0, 0, 0, 0, 2]));
        Ok(())
    }

    #[test]
    fn an_address_can_be_learned_first_and_given_later() -> Result {
        let stations = Stations::new()?;
        let is_given = || stations.with(|all| all.next()).map(|known| known.is_given);
        assert!(stations.table.lock().add(station(1, 1), false));
        assert_eq!(is_given(), Some(false));
        assert!(stations.table.lock().add(station(1, 1), true));
        assert!(!stations.table.lock().add(station(1, 1), true));
        assert_eq!(is_given(), Some(true));
        Ok(())
    }
}

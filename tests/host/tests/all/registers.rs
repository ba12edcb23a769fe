// SPDX-License-Identifier: GPL-2.0

//! The tables of registers against the model's map, and the documentation made of the tables.

#[path = "../../model/page.rs"]
mod page;

use crate::model::map::{
    Entry,
    Read,
    Write,
    MAP, //
};
use igb_core::regs::{
    self,
    Info,
    Kind,
    Range,
    Reset, //
};

/// What two maps disagree about: the name of a register, and what of it.
type Difference = (String, What);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// The tables do not have it.
    NotInTables,
    /// The model does not have it.
    NotInModel,
    /// Where it is, or how many there are.
    Place,
    /// How it may be accessed.
    Access,
    /// What a reset leaves.
    Reset,
}

/// Where QEMU's model is known to differ from the controller. What it leaves after a reset is in the
/// tables.
const KNOWN: &[(&str, What)] = &[
    // Reads as IMS, and ICS as ICR: the datasheet calls both write-only.
    ("ICS", What::Access),
    ("IMC", What::Access),
    // Bits cannot be cleared but by a reset.
    ("EIAC", What::Access),
    ("EIAM", What::Access),
    // The mask of a VF is not that of EIMS, but what was last written.
    ("PVTEIMS", What::Access),
    // Plain storage.
    ("WUS", What::Access),
    ("FACTPS", What::Access),
    ("EEMNGCTL", What::Access),
    // Not there: writes are dropped, reads are 0.
    ("FRTIMER", What::Access),
    ("FTQF", What::Access),
    ("IMIR", What::Access),
    ("IMIREXT", What::Access),
    ("SPQF", What::Access),
    ("SCTL", What::Access),
    ("CONNSW", What::Access),
    ("I2CCMD", What::Access),
    ("PCS_CFG0", What::Access),
    ("PCS_LCTL", What::Access),
    ("PCS_LSTAT", What::Access),
    ("PCS_ANADV", What::Access),
    ("PCS_LPAB", What::Access),
    ("IOVCTL", What::Access),
    ("LVMMC", What::Access),
    ("PSRTYPE", What::Access),
    ("SAQF", What::Access),
    ("DAQF", What::Access),
    ("RTTBCNRC", What::Access),
    ("RTTBCNRM", What::Access),
    ("RTTDQSEL", What::Access),
    ("RXCTL", What::Access),
    // Can be written, which has no effect on the clock: the next reading, or the next stamp, replaces it.
    ("RXSATRH", What::Access),
    ("RXSATRL", What::Access),
    ("RXSTMPH", What::Access),
    ("RXSTMPL", What::Access),
    ("SYSTIMH", What::Access),
    ("SYSTIML", What::Access),
    ("TXSTMPH", What::Access),
    ("TXSTMPL", What::Access),
    // Errors, collisions and pause frames are not counted: there is nothing to clear.
    ("ALGNERRC", What::Access),
    ("COLC", What::Access),
    ("CRCERRS", What::Access),
    ("DC", What::Access),
    ("ECOL", What::Access),
    ("LATECOL", What::Access),
    ("MCC", What::Access),
    ("MPC", What::Access),
    ("RFC", What::Access),
    ("RJC", What::Access),
    ("RLEC", What::Access),
    ("RNBC", What::Access),
    ("RQDPC", What::Access),
    ("RXERRC", What::Access),
    ("SCC", What::Access),
    ("SYMERRS", What::Access),
    ("TNCRS", What::Access),
    ("XOFFRXC", What::Access),
    ("XOFFTXC", What::Access),
    ("XONRXC", What::Access),
    ("XONTXC", What::Access),
];

fn tables() -> Vec<Info> {
    regs::all().copied().collect()
}

fn agrees(kind: Kind, read: Read, write: Write) -> bool {
    match kind {
        Kind::Rw => (read, write) == (Read::Value, Write::Stores),
        Kind::Ro => (read, write) == (Read::Value, Write::Nothing),
        Kind::Wo => read == Read::Nothing && write != Write::Nothing,
        // Most causes can also be cleared by writing ones: nobody does.
        Kind::Rc => read == Read::Clears && write != Write::Stores,
        Kind::W1c => (read, write) == (Read::Value, Write::ClearsOnes),
        Kind::W1s => (read, write) == (Read::Value, Write::SetsOnes),
        Kind::Rs => (read, write) == (Read::Sets, Write::Stores),
    }
}

/// What QEMU's model holds after a reset, according to the tables.
fn reset_of_model(info: &Info) -> Option<u32> {
    match (info.qemu, info.reset) {
        (Some(word), _) | (None, Reset::Word(word)) => Some(word),
        (None, Reset::Nvm | Reset::Kept) => None,
    }
}

/// Everything the tables and the map disagree about, sorted.
fn differences(tables: &[Info], map: &[Entry]) -> Vec<Difference> {
    let mut found = Vec::new();
    for info in tables {
        let name = info.name.to_ascii_uppercase();
        let entries: Vec<_> = map.iter().filter(|entry| entry.name == name).collect();
        let Some(first) = entries.first() else {
            found.push((name, What::NotInModel));
            continue;
        };
        let places: Vec<_> = info.registers().map(|(_, offset)| offset).collect();
        let modelled: Vec<_> = entries.iter().flat_map(|e| e.offsets()).collect();
        let checks = [
            (What::Place, places == modelled),
            (What::Access, agrees(info.kind, first.read, first.write)),
            (What::Reset, reset_of_model(info) == Some(first.reset)),
        ];
        for (what, right) in checks {
            if !right {
                found.push((name.clone(), what));
            }
        }
    }
    for entry in map {
        let known = |info: &Info| info.name.to_ascii_uppercase() == entry.name;
        if !tables.iter().any(known) {
            found.push((entry.name.to_string(), What::NotInTables));
        }
    }
    found.sort();
    found
}

fn known() -> Vec<Difference> {
    let mut known: Vec<_> = KNOWN
        .iter()
        .map(|(n, what)| ((*n).to_string(), *what))
        .collect();
    known.sort();
    known
}

#[test]
fn tables_and_model_agree() {
    assert_eq!(differences(&tables(), MAP), known());
}

/// What is found beyond what is known once `change` was made to the register `name`.
fn found_after(name: &str, change: impl Fn(&mut Info)) -> Vec<Difference> {
    let mut tables = tables();
    let info = tables.iter_mut().find(|info| info.name == name).unwrap();
    change(info);
    let mut found = differences(&tables, MAP);
    found.retain(|difference| !known().contains(difference));
    found
}

fn one(name: &str, what: What) -> Vec<Difference> {
    vec![(name.to_string(), what)]
}

#[test]
fn a_wrong_offset_is_found() {
    for info in tables() {
        let moved = |info: &mut Info| info.ranges[0].base ^= 4;
        let name = info.name.to_ascii_uppercase();
        assert_eq!(found_after(info.name, moved), one(&name, What::Place));
    }
}

#[test]
fn a_wrong_stride_or_number_is_found() {
    let wider = |info: &mut Info| info.ranges[0].stride += 4;
    assert_eq!(found_after("rdbal", wider), one("RDBAL", What::Place));
    let more = |info: &mut Info| info.ranges[0].end += 1;
    assert_eq!(found_after("vlvf", more), one("VLVF", What::Place));
    let first_part = |info: &mut Info| {
        let [first, second] = &mut info.ranges;
        *second = Range {
            end: second.first,
            ..*first
        };
    };
    assert_eq!(found_after("ral", first_part), one("RAL", What::Place));
}

#[test]
fn a_wrong_reset_value_is_found() {
    for info in tables() {
        let flipped = |info: &mut Info| info.qemu = reset_of_model(info).map(|word| word ^ 1);
        let name = info.name.to_ascii_uppercase();
        assert_eq!(found_after(info.name, flipped), one(&name, What::Reset));
    }
    let left_open = |info: &mut Info| info.qemu = None;
    assert_eq!(found_after("CTRL", left_open), one("CTRL", What::Reset));
}

#[test]
fn a_wrong_way_of_access_is_found() {
    for info in tables() {
        let name = info.name.to_ascii_uppercase();
        if known().contains(&(name.clone(), What::Access)) {
            continue;
        }
        for kind in Kind::ALL.iter().copied().filter(|kind| *kind != info.kind) {
            let changed = |info: &mut Info| info.kind = kind;
            assert_eq!(found_after(info.name, changed), one(&name, What::Access));
        }
    }
}

#[test]
fn a_register_only_one_of_them_has_is_found() {
    let mut tables = tables();
    tables.retain(|info| info.name != "MRQC");
    let found = differences(&tables, MAP);
    assert!(found.contains(&("MRQC".to_string(), What::NotInTables)));
    let renamed = |info: &mut Info| info.name = "MRQD";
    let found = found_after("MRQC", renamed);
    assert!(found.contains(&("MRQD".to_string(), What::NotInModel)));
}

/// With `IGB_RS_WRITE` set, as by `make registers`, the page is written.
#[test]
fn the_page_shows_the_tables() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../Documentation/registers.rst"
    );
    let page = std::fs::read_to_string(path).unwrap();
    let made = page::with_tables(&page);
    if std::env::var_os("IGB_RS_WRITE").is_some() {
        std::fs::write(path, made).unwrap();
        return;
    }
    let differs = page
        .lines()
        .zip(made.lines())
        .find(|(is, should)| is != should);
    assert!(
        page == made,
        "Documentation/registers.rst is not what the tables say; `make registers` writes it. First \
         difference: {differs:?}"
    );
}

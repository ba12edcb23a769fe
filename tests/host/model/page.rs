// SPDX-License-Identifier: GPL-2.0

//! The tables of registers as part of a page of the documentation.

use igb_core::regs::{
    Block,
    Info,
    Kind,
    Reset,
    BLOCKS, //
};

const BEGIN: &str = ".. Made from drivers/igb/core/regs/ by `make registers`: do not edit.\n";
const END: &str = ".. End of what is made.\n";

/// `page` with the tables of now between the two marks.
pub fn with_tables(page: &str) -> String {
    let (before, rest) = page.split_once(BEGIN).expect("a mark is missing");
    let (_, after) = rest.split_once(END).expect("a mark is missing");
    let mut out = format!("{before}{BEGIN}\n");
    out.push_str(&legend());
    for block in &BLOCKS {
        out.push_str(&format!(
            "\n{}\n{}\n\n",
            block.title,
            "-".repeat(block.title.len())
        ));
        out.push_str(&table(&rows(block)));
    }
    out.push('\n');
    out.push_str(END);
    out.push_str(after);
    out
}

fn legend() -> String {
    let rows = Kind::ALL.iter().map(|kind| {
        let meaning = kind.meaning().trim().trim_end_matches('.').to_string();
        vec![kind.short().to_string(), meaning]
    });
    let mut table_rows = vec![vec!["Access".to_string(), "Meaning".to_string()]];
    table_rows.extend(rows);
    table(&table_rows)
}

fn rows(block: &Block) -> Vec<Vec<String>> {
    let place = if block.is_numbered {
        "Number"
    } else {
        "Offset"
    };
    let head = [
        "Register",
        place,
        "Access",
        "Reset",
        "QEMU",
        "What it is for",
    ];
    let mut rows = vec![head.map(String::from).to_vec()];
    for (info, about) in block.table.iter().zip(block.about) {
        for (n, (name, place)) in places(info, block.is_numbered).into_iter().enumerate() {
            let about = if n == 0 {
                markup(about)
            } else {
                "the same, further elements".to_string()
            };
            let qemu = info.qemu.map_or(String::new(), hex);
            let access = info.kind.short().to_string();
            rows.push(vec![name, place, access, reset(info.reset), qemu, about]);
        }
    }
    rows
}

/// Name and place of each part of an array, or of the one register.
fn places(info: &Info, is_numbered: bool) -> Vec<(String, String)> {
    let name = info.name.to_ascii_uppercase();
    let [first, _] = info.ranges;
    if is_numbered {
        return vec![(name, first.base.to_string())];
    }
    if !info.is_array() {
        return vec![(name, format!("{:#07x}", first.base))];
    }
    info.ranges
        .iter()
        .filter(|range| range.end != 0)
        .map(|range| {
            let part = format!("{name}[{}..{}]", range.first, range.end - 1);
            (part, format!("{:#07x} + {:#x} i", range.base, range.stride))
        })
        .collect()
}

fn reset(reset: Reset) -> String {
    match reset {
        Reset::Word(word) => hex(word),
        Reset::Nvm => "NVM".to_string(),
        Reset::Kept => "kept".to_string(),
    }
}

fn hex(word: u32) -> String {
    match word {
        0 => "0".to_string(),
        word => format!("{word:#x}"),
    }
}

/// A doc comment as reStructuredText.
fn markup(about: &str) -> String {
    let text = about.trim().trim_end_matches('.');
    text.replace("[`", "`")
        .replace("()`]", "`")
        .replace("`]", "`")
        .replace('`', "``")
}

/// A simple table; the first row is the head.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows[0].len();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<_> = (0..columns).map(width).collect();
    let rule = widths
        .iter()
        .map(|w| "=".repeat(*w))
        .collect::<Vec<_>>()
        .join("  ");
    let mut out = format!("{rule}\n");
    for (n, row) in rows.iter().enumerate() {
        let cells: Vec<_> = row
            .iter()
            .zip(&widths)
            .map(|(cell, w)| format!("{cell:w$}"))
            .collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
        if n == 0 {
            out.push_str(&rule);
            out.push('\n');
        }
    }
    out.push_str(&rule);
    out.push('\n');
    out
}

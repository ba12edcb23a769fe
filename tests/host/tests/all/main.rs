// SPDX-License-Identifier: GPL-2.0

//! Tests of `igb_core` on the host: one program, so that the model and proptest are compiled once.

#[path = "../../model/model.rs"]
#[allow(dead_code)]
mod model;

mod board;
mod bridged;
mod clients;
mod corpus;
mod incremental;
mod intent;
mod isolation;
mod mailbox;
mod names;
mod parser;
mod policy;
mod raw;
mod recent;
mod registers;
mod regressions;
mod returned;
mod rings;
mod slot_reset;
mod tenants;
mod trunk;
mod wake;

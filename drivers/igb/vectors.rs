// SPDX-License-Identifier: GPL-2.0

//! Interrupt vectors: who gets which.
//!
//! With MSI-X, vector 0 is for everything that is not a queue (link, mailboxes), and vector `1 + n`
//! for queue pair `n`. They are allocated once, for as many pairs as the device can ever have, so
//! that changing the number of pairs leaves the others' interrupts and their affinity alone.
//!
//! With MSI or INTx there is one vector and one queue pair, and there can be no VFs.

use igb_core::layout::MAX_PAIRS;
use kernel::prelude::*;
use net::irq::{
    Kind,
    Kinds,
    Vectors, //
};

/// How the vectors are used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    kind: Kind,
    pairs: u32,
}

impl Plan {
    /// Allocates vectors for up to `pairs` queue pairs: as many as there are.
    pub(crate) fn allocate(
        dev: &kernel::pci::Device<kernel::device::Bound>,
        pairs: u32,
    ) -> Result<(Vectors, Self)> {
        let wanted = pairs.wrapping_add(1);
        if let Ok(vectors) = Vectors::alloc(dev, 2, wanted, Kinds::MSIX) {
            // CAST: at most `wanted`.
            let pairs = (vectors.len() as u32).wrapping_sub(1);
            let plan = Self {
                kind: vectors.kind(),
                pairs,
            };
            return Ok((vectors, plan));
        }
        let vectors = Vectors::alloc(dev, 1, 1, Kinds::MSI.or(Kinds::INTX))?;
        let plan = Self {
            kind: vectors.kind(),
            pairs: 1,
        };
        Ok((vectors, plan))
    }

    /// Queue pairs there are vectors for: 1 to [`MAX_PAIRS`].
    pub(crate) fn pairs(&self) -> u32 {
        // CAST: a constant.
        self.pairs.min(MAX_PAIRS as u32)
    }

    /// Each queue pair has a vector of its own.
    pub(crate) fn is_msix(&self) -> bool {
        matches!(self.kind, Kind::Msix)
    }

    /// Vector of everything that is not a queue.
    pub(crate) fn misc_vector(&self) -> u8 {
        0
    }

    /// Vector of queue pair `index`.
    pub(crate) fn pair_vector(&self, index: u32) -> u8 {
        if self.is_msix() {
            // CAST: at most MAX_PAIRS.
            (index.wrapping_add(1)) as u8
        } else {
            0
        }
    }
}

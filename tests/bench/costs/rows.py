# SPDX-License-Identifier: GPL-2.0
"""The rows of the table: what is measured, what is aimed at, and what the C driver is known to
need, by which a run is recognised that measured something else."""

from __future__ import annotations

from .row import (
    BURSTS,
    LARGE,
    SENT,
    SETTINGS,
    SMALL,
    TRANSACTIONS,
    Row,
    at_least,
    at_least_factor,
    at_most,
    clearing,
    copied,
    factor,
    insns,
    interrupts,
    mailbox,
    sent,
    stream,
    stream_copied,
    value,
    worst_reply,
    writes,
)

# Of what a phase does at its edges (a frame of the stack's own, a watchdog) some is in it or not.
DATA_PATH = (
    Row(
        "tx60",
        "Tx 60 B: instructions",
        insns("tx60", SENT),
        factor(0.85),
        factor(0.70),
        (559, 571),
        gate=True,
        copied=copied("tx60", SENT),
    ),
    Row(
        "tx1500",
        "Tx 1500 B: instructions",
        insns("tx1500", SENT),
        factor(1.0),
        factor(0.85),
        (559, 571),
        gate=True,
        copied=copied("tx1500", SENT),
    ),
    Row(
        "rx60",
        "Rx 60 B, burst 32: instructions",
        insns("rx60-burst32", BURSTS),
        factor(0.85),
        factor(0.70),
        (440, 460),
        gate=True,
        copied=copied("rx60-burst32", BURSTS),
    ),
    Row(
        "rx1500",
        "Rx 1500 B, burst 32: instructions per delivered",
        lambda outcome: (
            outcome.phases["rx1500-burst32"].total / outcome.delivered("rx1500-burst32")
        ),
        factor(1.0),
        factor(0.85),
        (435, 480),
        gate=True,
    ),
    Row(
        "rr18",
        "UDP request/response 18 B: instructions",
        insns("rr18", TRANSACTIONS),
        factor(0.80),
        factor(0.60),
        (2060, 2150),
        gate=True,
        copied=copied("rr18", TRANSACTIONS),
    ),
    Row(
        "rr18-mmio",
        "UDP request/response 18 B: register writes",
        writes("rr18", TRANSACTIONS),
        at_most(2.10),
        at_most(1.15),
        (3.98, 4.05),
        gate=True,
    ),
    Row(
        "rr18-irq",
        "UDP request/response 18 B: interrupts",
        interrupts("rr18", TRANSACTIONS),
        at_most(1.10),
        at_most(1.00),
        (1.98, 2.03),
        gate=True,
    ),
    # Both drivers map the frame, and take an interrupt for its report and one for the answer.
    Row(
        "rr1400",
        "UDP request/response 1400 B: instructions",
        insns("rr1400", TRANSACTIONS),
        factor(1.02),
        factor(0.85),
        (2150, 2300),
        gate=True,
        copied=copied("rr1400", TRANSACTIONS),
    ),
    Row(
        "tx-irq",
        "Tx 60 B: interrupts per packet",
        interrupts("tx60", SENT),
        at_most(0.01),
        at_most(0.01),
        (0.008, 0.011),
        gate=True,
    ),
    Row(
        "rx-irq",
        "Rx 60 B, burst 32: interrupts per packet",
        interrupts("rx60-burst32", BURSTS),
        at_most(0.02),
        at_most(0.02),
        (0.008, 0.022),
        gate=True,
    ),
    Row(
        "tx32-mmio",
        "Tx 60 B, burst 32: register writes per 1000",
        writes("tx60-burst32", BURSTS, 1000),
        at_most(42),
        at_most(34),
        (38, 46),
        gate=True,
    ),
    Row(
        "tx32-4096-mmio",
        "… ring 4096",
        writes("tx60-burst32-ring4096", BURSTS, 1000),
        at_most(42),
        at_most(34),
        (200, 420),
        gate=True,
    ),
    Row(
        "tx32-1500-mmio",
        "… ring 4096, 1500 B",
        writes("tx1500-burst32-ring4096", BURSTS, 1000),
        at_most(42),
        at_most(34),
        (700, 950),
        gate=True,
    ),
    Row(
        "rx-mmio",
        "Rx 60 B, burst 32: register writes per 1000",
        writes("rx60-burst32", BURSTS, 1000),
        at_most(40),
        at_most(20),
        (65, 80),
        gate=True,
    ),
    Row(
        "latency18",
        "UDP latency 18 B, µs",
        value("rr18", 1e-3),
        at_most(100),
        at_most(83),
        (115, 124),
    ),
    Row(
        "latency1400",
        "UDP latency 1400 B, µs",
        value("rr1400", 1e-3),
        at_most(150),
        at_most(90),
        (390, 405),
    ),
    Row(
        "tx1500-pps",
        "Tx 1500 B, ring 256: 1000 packets/s",
        value("pps.tx1500", 1e-3),
        at_least_factor(2),
        at_least_factor(3),
        (285, 315),
    ),
    Row(
        "rx-delivered",
        "Rx 60 B, burst 1: delivered of 2000",
        lambda outcome: outcome.delivered("rx60"),
        at_least(1900),
        at_least(2000),
        (1400, 2000),
    ),
    Row(
        "tcp-tx",
        "TCP Tx with TSO: instructions per KB (median of 5)",
        stream,
        factor(0.90),
        factor(0.75),
        (75, 130),
        copied=stream_copied,
    ),
    Row(
        "up-mmio",
        "PF up: register accesses",
        lambda outcome: outcome.phases["up"].registers,
        factor(0.6),
        factor(0.4),
        (1380, 1480),
    ),
    Row("up-ms", "PF up, ms", value("ms.up"), factor(0.8), factor(0.5), (450, 650)),
    Row(
        "carrier-ms",
        "PF up until the carrier, ms",
        value("ms.carrier"),
        factor(1.0),
        factor(0.8),
        (850, 1200),
    ),
    Row(
        "idle",
        "idle 10 s: register reads",
        lambda outcome: outcome.phases["idle"].reads.total(),
        at_most(70),
        at_most(34),
        (272, 408),
    ),
    Row(
        "link-statistics",
        "ip -s link: register reads",
        # An update of the driver's own may fall into one or two of them.
        lambda outcome: min(
            outcome.phases[f"link-statistics.{number}"].reads.total() for number in (1, 2, 3)
        ),
        at_most(68),
        at_most(0),
        (64, 204),
    ),
    Row(
        "rx-memory",
        "Rx memory per descriptor, KiB",
        # By what is free. A pool keeps up to 64 pages besides those in the ring, and others take and
        # give some as well: more than a quarter cannot be told.
        lambda outcome: round(4 * outcome.values["rx-memory"] / (LARGE - SMALL)) / 4,
        factor(1.0),
        factor(0.5),
        (3.9, 4.3),
    ),
    Row(
        "vfs-tx",
        "Tx 60 B with 7 VFs: of the cost without",
        lambda outcome: insns("tx60-vfs", SENT)(outcome) / insns("tx60", SENT)(outcome),
        at_most(1.02),
        at_most(1.00),
        None,
    ),
    Row(
        "vfs-rx",
        "Rx 60 B with 7 VFs: of the cost without",
        lambda outcome: insns("rx60-vfs", BURSTS)(outcome) / insns("rx60-burst32", BURSTS)(outcome),
        at_most(1.02),
        at_most(1.00),
        None,
    ),
    Row(
        "numvfs0-ms",
        "sriov_numvfs=0, VFs without driver, ms",
        value("ms.numvfs0"),
        factor(0.8),
        factor(0.6),
        None,
    ),
)


def _translated(mode: str, limits: dict[str, tuple[float, float]], known: dict) -> tuple[Row, ...]:
    """Rows of the data path behind an IOMMU. `limits`: at least, and the aim; `known` of C igb in
    this mode."""
    shapes = (
        ("tx60", "Tx 60 B: instructions", insns("tx60", SENT), copied("tx60", SENT)),
        ("tx1500", "Tx 1500 B: instructions", insns("tx1500", SENT), copied("tx1500", SENT)),
        (
            "rr18",
            "UDP request/response 18 B: instructions",
            insns("rr18", TRANSACTIONS),
            copied("rr18", TRANSACTIONS),
        ),
        (
            "rr1400",
            "UDP request/response 1400 B: instructions",
            insns("rr1400", TRANSACTIONS),
            copied("rr1400", TRANSACTIONS),
        ),
        (
            "rx60",
            "Rx 60 B, burst 32: instructions",
            insns("rx60-burst32", BURSTS),
            copied("rx60-burst32", BURSTS),
        ),
        ("tcp-tx", "TCP Tx with TSO: instructions per KB", stream, stream_copied),
    )
    return tuple(
        Row(
            f"{mode}-{key}",
            f"IOMMU, {mode}: {title}",
            value,
            *(factor(limit) for limit in limits[key]),
            known.get(key),
            gate=mode == "strict" and key in ("tx60", "tx1500", "rr1400"),
            copied=copied,
        )
        for key, title, value, copied in shapes
    )


# Behind an IOMMU that translates; strict: what is unmapped is unmapped at once.
STRICT = (
    *_translated(
        "strict",
        {
            "tx60": (0.10, 0.08),
            "tx1500": (0.40, 0.30),
            "rr18": (0.40, 0.30),
            "rr1400": (0.50, 0.35),
            "rx60": (0.85, 0.75),
            "tcp-tx": (0.68, 0.50),
        },
        {
            "tx60": (3080, 3260),
            "tx1500": (3270, 3460),
            "rr18": (4560, 4840),
            "rr1400": (4640, 4960),
            "rx60": (440, 465),
            "tcp-tx": (400, 600),
        },
    ),
    Row(
        "strict-tx1500-pps",
        "IOMMU, strict: Tx 1500 B, ring 256: 1000 packets/s",
        value("pps.tx1500", 1e-3),
        at_least_factor(2),
        at_least_factor(3),
        (175, 200),
    ),
)
LAZY = _translated(
    "lazy",
    {
        "tx60": (0.60, 0.50),
        "tx1500": (0.60, 0.50),
        "rr18": (0.80, 0.60),
        "rr1400": (0.80, 0.60),
        "rx60": (0.85, 0.75),
        "tcp-tx": (0.80, 0.50),
    },
    {
        "tx60": (2690, 2870),
        "tx1500": (2920, 3120),
        "rr18": (4020, 4280),
        "rr1400": (4170, 4440),
        "rx60": (440, 465),
        "tcp-tx": (360, 520),
    },
)

# With VFs, on two CPUs.
VFS = (
    Row(
        "numvfs7-mmio",
        "sriov_numvfs=7: register accesses",
        lambda outcome: outcome.phases["numvfs7"].registers,
        factor(0.60),
        factor(0.35),
        (15000, 17500),
    ),
    Row(
        "vf-address-mmio",
        "VF sets its address: register accesses",
        lambda outcome: outcome.phases["vf-address"].registers / SETTINGS,
        at_most(40),
        at_most(20),
        (70, 85),
    ),
    Row(
        "vf-address",
        "VF sets its address: instructions in the interrupt",
        mailbox("vf-address", SETTINGS),
        factor(1.0),
        None,
    ),
    Row(
        "vf-reset-mmio",
        "VF resets itself: accesses of its registers",
        clearing("vf-reset"),
        at_most(80),
        at_most(70),
    ),
    Row(
        "vf-handshake-mmio",
        "VF's handshake: accesses of its registers",
        clearing("vf-handshake"),
        at_most(80),
        at_most(70),
    ),
    Row(
        "tx60-2cpus",
        "Tx 60 B on 2 CPUs: instructions",
        sent("two-cpus"),
        factor(1.0),
        None,
        (555, 610),
    ),
    Row(
        "tx60-growth",
        "Tx 60 B on 2 CPUs: of the cost on one",
        lambda outcome: sent("two-cpus")(outcome) / sent("one-cpu")(outcome),
        at_most(1.02),
        at_most(1.00),
        None,
    ),
)

# One CPU for each VF, and one for the PF.
REPLIES = (
    Row(
        "worst-reply",
        "mailbox reply, worst of 7 VFs busy at once, ms (median of 9)",
        worst_reply,
        factor(1.0),
        factor(0.25),
        (0.04, 0.12),
    ),
    Row(
        "numvfs0-igbvf-ms",
        "sriov_numvfs=0, VFs with igbvf, ms",
        value("ms.numvfs0-igbvf"),
        factor(0.8),
        factor(0.6),
        None,
    ),
)

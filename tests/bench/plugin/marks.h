/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How a program in the guest speaks to the plugin: by "nopl MARK_BASE + MARK_x(%rax)", with
 * arguments in RDI and RSI.
 */
#ifndef BENCH_MARKS_H
#define BENCH_MARKS_H

#define MARK_BASE 0x5eed0000

#define MARK_BEGIN 0	/* begins a phase */
#define MARK_END 1	/* ends it: number of the phase */
#define MARK_FUNCTION 2	/* kind, address */
#define MARK_TEXT 3	/* start and end of code that may access the device's registers */
#define MARK_BAR 4	/* physical address and size of the device's registers */
#define MARK_ARM 5	/* begins to instrument; the above has been said */
#define MARK_COUNTS 6	/* address to write counters to (tests/window/plugin) */

/* Kinds of functions */
#define ROOT_XMIT 0
#define ROOT_POLL 1
#define ROOT_IRQ 2
#define ROOT_FRAMES 3
#define ROOT_WAKEUP 4
#define ROOT_MAILBOX 5
#define ROOT_KINDS 6
#define KIND_UPCALL 6
#define KIND_INTERRUPT 7

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of the load generator share. */
#ifndef BENCH_PROBE_H
#define BENCH_PROBE_H

#include <stdint.h>

#include "../plugin/marks.h"

#define MARK(number, first, second)                                                              \
	asm volatile("nopl %c0(%%rax)" ::"i"(MARK_BASE + (number)), "D"(first), "S"(second)      \
		     : "memory")

uint64_t number(const char *text);
uint64_t now(void);

int inject(char **argv);
int sockets(char **argv);

#endif

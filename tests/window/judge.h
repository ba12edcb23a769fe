/* SPDX-License-Identifier: GPL-2.0 */
#ifndef JUDGE_H
#define JUDGE_H

#include "window.h"

#define MAX_REGISTERS 1536

/* How a register of the PF's is judged. */
enum rule {
	RULE_MASK, /* but for the bits of the mask it is what it was */
	RULE_REOPENED, /* the same, but it may be another when the PF's queues were opened anew */
	RULE_ADDRESS, /* RAL, RAH: entries of others */
	RULE_VLVF, /* members but the attacker */
	RULE_TABLE, /* bits may come, and none go */
	RULES
};

struct entry {
	uint32_t offset, mask, value;
	enum rule rule;
	char name[24];
};

struct plan {
	char pf[16], interface[16], vf[2][16], netns[64];
	int attacker, neighbour;
	uint8_t address[ADDRESS_BYTES], pf_address[ADDRESS_BYTES]; /* the neighbour's, the PF's */
	uint32_t memory, batch, slowness;
	/* For the plugin: code of the driver, registers of the PF, begin of interrupts and work items. */
	uint64_t text[2], bar[2], functions[2];
	struct entry entry[MAX_REGISTERS];
	int entries;
};

/* What the driver has done so far. */
struct work {
	uint64_t reads, writes, interrupts, items;
};

void plan_read(struct plan *plan, const char *path);

struct judge {
	struct plan *plan;
	struct host *host;
	struct vf *attacker;
	struct neighbour *neighbour;
	int wire[2]; /* sockets of the PF and the peer */
	uint8_t peer[ADDRESS_BYTES];
	uint32_t round;
	int log;
	bool replays; /* steps that were wrong once */
	/* Of the log: of the attacker, of quarantines, other ones of the driver, of anybody else. */
	uint64_t lines, cut_off, told, other_lines;
	uint64_t lifted; /* how often the administrator ended a quarantine, if there was one */
	uint64_t granted, denied; /* answers that the attacker was seen to get */
	uint64_t all_settings, all_resets, all_flrs; /* so far */
	uint64_t first, resent, longest_reset_us, rounds;
	/* Since the last round: what gives the PF work. */
	uint64_t causes, settings, resets, begin;
	struct work work, most; /* until the last round; most in one without a reset */
	struct work first_work; /* before the first */
	char wrong[512];
};

void judge_begin(struct judge *j, struct plan *plan, struct host *host, struct vf *attacker,
		 struct neighbour *neighbour);
/* Whether the PF may have an interrupt of it. */
bool judge_is_cause(const struct step *step);
/* NULL, or what is wrong. */
const char *judge_all(struct judge *j);
/* The same, of an answer that the attacker has just found in its mailbox. */
const char *judge_answer(struct judge *j);
/* The same, of the log since it was opened. */
const char *judge_log(struct judge *j);
void log_open(struct judge *j);
/* Returns what it says. */
const char *wrong(struct judge *j, const char *format, ...) __attribute__((format(printf, 2, 3)));
void judge_print(const struct judge *j);

#endif

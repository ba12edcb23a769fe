// SPDX-License-Identifier: GPL-2.0
/* What the attacker does: random steps, and steps as text. */
#include <stdio.h>
#include <string.h>

#include "window.h"

uint64_t random_next(struct random *r)
{
	/* splitmix64 (public domain): any state is a good one. */
	uint64_t z = r->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

uint32_t random_below(struct random *r, uint32_t bound)
{
	return (random_next(r) >> 32) * bound >> 32;
}

/* What a polite attacker waits for its answer. One that asks too often waits for ever. */
#define ANSWER_US 20000

#define PICK(r, list) ((list)[random_below(r, sizeof(list) / sizeof((list)[0]))])

/* All that the VF's address space has, but for the queues' and the mailbox. */
static const uint32_t others[] = {
	VTCTRL,	 0x0004,       STATUS,	   0x1048,	VTEICS,	     VTEIMS,  VTEIMC,
	VTEIAC,	 VTEIAM,       VTEICR,	   VTEITR,	VTEITR + 4,  VTEITR + 8, VTIVAR,
	0x1704,	 VTIVAR_MISC,  PBACL,	   PSRTYPE,	0x0f10,	     0x0f14,  0x0f18,
	0x0f34,	 0x0f38,       0x0f3c,	   0x0f40,	0x0f44,	     0x0f48,  0x0f50,
	0x34e8,	 0x24e8,
};

static const uint32_t of_a_queue[] = {
	RDBAL,	RDBAH, RDLEN, SRRCTL, RDH,    RXCTL,  RDT,   RXDCTL, RQDPC, TDBAL,
	TDBAH, TDLEN, TDH,   TXCTL,  TDT,    TXDCTL, TDWBAL, TDWBAH,
};

static const uint32_t first_words[] = {
	0x00001, 0x00001, 0x00002, 0x10002, 0x20002, 0x20002, 0x80003, 0x1e0003, 0x9e0003, 0x00004,
	0x10004, 0x10004, 0x00005, 0x00006, 0x10006, 0x20006, 0x30006, 0x00100,	0x00007, 0x0ffff,
};

static void push(struct generator *g, enum kind kind, uint32_t a, uint32_t b)
{
	if (g->queued < sizeof(g->queue) / sizeof(g->queue[0]))
		g->queue[g->queued++] = (struct step){ kind, a, b };
}

static uint32_t value(struct generator *g)
{
	struct random *r = &g->random;

	switch (random_below(r, 5)) {
	case 0:
		return random_next(r);
	case 1:
		return 1u << random_below(r, 32);
	case 2:
		return random_below(r, 16);
	case 3:
		return ~0u;
	default:
		return 0;
	}
}

/* An address in the attacker's own memory. */
static uint32_t own(struct generator *g, uint32_t aligned)
{
	return DMA_BASE + random_below(&g->random, g->memory / aligned) * aligned;
}

/* A register of a queue: its addresses are the attacker's, whatever else it is made to do. */
static void queue_register(struct generator *g)
{
	struct random *r = &g->random;
	uint32_t offset = PICK(r, of_a_queue), v;

	switch (offset) {
	case RDBAL:
	case TDBAL:
		v = own(g, 128);
		break;
	case TDWBAL:
		v = own(g, 4) | random_below(r, 2);
		break;
	case RDBAH:
	case TDBAH:
	case TDWBAH:
		v = 0;
		break;
	case RXDCTL:
	case TXDCTL:
		v = random_below(r, 4) ? XDCTL_ENABLE | (value(g) & 0x1f1f1f) : value(g);
		break;
	case RDLEN:
	case TDLEN:
		v = random_below(r, 4) ? 128 * random_below(r, 9) : value(g);
		break;
	case RDH:
	case RDT:
	case TDH:
	case TDT:
		v = random_below(r, 4) ? random_below(r, 64) : value(g);
		break;
	default:
		v = value(g);
	}
	push(g, STEP_WRITE, offset + QUEUE_STRIDE * random_below(r, 2), v);
}

/* A descriptor somewhere in its memory: one that is well-formed, or noise. */
static void descriptor(struct generator *g)
{
	struct random *r = &g->random;
	uint32_t at = random_below(r, g->memory / 16) * 16;
	uint32_t length = random_below(r, 4) ? 60 + random_below(r, 1500) : value(g) & 0xffff;

	push(g, STEP_MEMORY, at, own(g, 1));
	push(g, STEP_MEMORY, at + 4, 0);
	push(g, STEP_MEMORY, at + 8,
	     random_below(r, 4) ? 0x2b300000u | length : (uint32_t)random_next(r));
	push(g, STEP_MEMORY, at + 12, random_below(r, 4) ? length << 14 : value(g));
}

/* A whole transmit or receive ring, as a driver sets it up. */
static void ring(struct generator *g)
{
	struct random *r = &g->random;
	uint32_t queue = QUEUE_STRIDE * random_below(r, 2), base = own(g, 4096);
	uint32_t bal = random_below(r, 2) ? RDBAL : TDBAL;

	push(g, STEP_WRITE, bal + queue, base);
	push(g, STEP_WRITE, bal + queue + RDBAH - RDBAL, 0);
	push(g, STEP_WRITE, bal + queue + RDLEN - RDBAL, 128 << random_below(r, 4));
	if (bal == RDBAL)
		push(g, STEP_WRITE, SRRCTL + queue, 0x02000002);
	for (int i = 0; i < 4; i++) {
		push(g, STEP_MEMORY, base - DMA_BASE + 16 * i, own(g, 2048));
		push(g, STEP_MEMORY, base - DMA_BASE + 16 * i + 4, 0);
		push(g, STEP_MEMORY, base - DMA_BASE + 16 * i + 8, 0x2b300000u | 64);
		push(g, STEP_MEMORY, base - DMA_BASE + 16 * i + 12, 64u << 14);
	}
	push(g, STEP_WRITE, bal + queue + RDH - RDBAL, 0);
	push(g, STEP_WRITE, bal + queue + RXDCTL - RDBAL, XDCTL_ENABLE);
	push(g, STEP_WRITE, bal + queue + RDT - RDBAL, 4);
}

static uint32_t low(const uint8_t *address)
{
	return address[0] | address[1] << 8 | address[2] << 16 | (uint32_t)address[3] << 24;
}

/* An address to ask for: its own, and those of others. */
static void address(struct generator *g, uint32_t *words)
{
	struct random *r = &g->random;

	switch (random_below(r, 6)) {
	case 0:
		words[0] = low(g->pf), words[1] = g->pf[4] | g->pf[5] << 8;
		break;
	case 1:
		words[0] = low(g->neighbour), words[1] = g->neighbour[4] | g->neighbour[5] << 8;
		break;
	case 2:
		words[0] = random_next(r), words[1] = value(g);
		break;
	default:
		words[0] = 0x02 | random_below(r, 8) << 24, words[1] = random_below(r, 2);
	}
}

/* A message, well-formed most of the time. Returns how many words it has. */
static int message_words(struct generator *g, uint32_t *words)
{
	struct random *r = &g->random;
	int count = 1 + random_below(r, 3);

	for (int i = 0; i < VMBMEM_WORDS; i++)
		words[i] = random_next(r);
	words[0] = random_below(r, 16) ? PICK(r, first_words) : words[0];
	switch (words[0] & 0xffff) {
	case MSG_SET_MAC:
		address(g, words + 1);
		count = 3;
		break;
	case MSG_SET_MULTICAST:
		for (int i = 1; i < VMBMEM_WORDS; i++)
			words[i] &= random_below(r, 16) ? 0x0fff0fff : ~0u;
		count = VMBMEM_WORDS;
		break;
	case MSG_SET_VLAN:
		words[1] = random_below(r, 8) ? random_below(r, 64) : random_below(r, 4200);
		count = 2;
		break;
	case MSG_SET_LPE:
		words[1] = random_below(r, 4) ? 64 + random_below(r, 9700) : value(g);
		count = 2;
	}
	return count;
}

/* With the manners of a driver, or without. */
static void send_message(struct generator *g, const uint32_t *words, int count, bool polite)
{
	struct random *r = &g->random;

	if (polite || random_below(r, 2))
		push(g, STEP_WRITE, V2PMAILBOX, V2P_VFU);
	for (int i = 0; i < count; i++)
		push(g, STEP_WRITE, VMBMEM + 4 * i, words[i]);
	push(g, STEP_WRITE, V2PMAILBOX, polite ? V2P_REQ : V2P_REQ | (value(g) & 0xff));
	if (!polite)
		return;
	push(g, STEP_ANSWER, ANSWER_US, 0);
	push(g, STEP_READ, VMBMEM, 0);
	push(g, STEP_WRITE, V2PMAILBOX, V2P_ACK);
}

static void message(struct generator *g)
{
	uint32_t words[VMBMEM_WORDS];
	int count = message_words(g, words);

	send_message(g, words, count, random_below(&g->random, 2));
}

/* Well-behaved for a while: a handshake, and a few messages after it. */
static void dialogue(struct generator *g)
{
	uint32_t words[VMBMEM_WORDS] = { MSG_VF_RESET };

	send_message(g, words, 1, true);
	for (uint32_t n = random_below(&g->random, 5); n; n--) {
		int count = message_words(g, words);

		send_message(g, words, count, true);
	}
}

static void mailbox(struct generator *g)
{
	struct random *r = &g->random;

	for (uint32_t n = 1 + random_below(r, 4); n; n--)
		switch (random_below(r, 4)) {
		case 0:
			push(g, STEP_WRITE, VMBMEM + 4 * random_below(r, VMBMEM_WORDS), value(g));
			break;
		case 1:
			push(g, STEP_READ, V2PMAILBOX, 0);
			break;
		default:
			push(g, STEP_WRITE, V2PMAILBOX, value(g));
		}
}

/* Any offset, but for the queues': their addresses stay within the attacker's memory. */
static void anywhere(struct generator *g)
{
	uint32_t offset = random_below(&g->random, VF_BAR_BYTES / 4) * 4;

	if ((offset & ~0x1fffu) == 0x2000 && (offset & 0xf00) >= 0x800)
		offset -= 0x2000;
	push(g, STEP_WRITE, offset, value(g));
}

static void setting(struct generator *g)
{
	struct random *r = &g->random;
	/* What quarantine has closed, the administrator opens again. */
	uint32_t kind = random_below(r, 3) ? random_below(r, SETTINGS) : (uint32_t)SET_STATE;

	/* Queues that are opened anew take as long as some hundred other steps. */
	if (kind >= SET_REOPENS && random_below(r, 4))
		kind = random_below(r, SET_REOPENS);
	push(g, STEP_SETTING, kind, random_next(r));
}

/* Parts of 10000, in the order of `refill`. */
enum { SETTINGS_10K = 500, FLR_10K = 40, RESETS_10K = 20, SELF_RESETS_10K = 200 };

static void refill(struct generator *g)
{
	struct random *r = &g->random;
	uint32_t rare = random_below(r, 10000), often = random_below(r, 100);

	g->queued = g->taken = 0;
	if (rare < SETTINGS_10K)
		setting(g);
	else if ((rare -= SETTINGS_10K) < FLR_10K)
		push(g, STEP_FLR, 0, 0);
	else if ((rare -= FLR_10K) < RESETS_10K)
		push(g, STEP_PF_RESET, random_below(r, PF_RESETS), 0);
	else if ((rare -= RESETS_10K) < SELF_RESETS_10K)
		push(g, STEP_WRITE, VTCTRL, VTCTRL_RST);
	else if (often < 25)
		queue_register(g);
	else if (often < 35)
		descriptor(g);
	else if (often < 40)
		ring(g);
	else if (often < 45)
		dialogue(g);
	else if (often < 60)
		message(g);
	else if (often < 75)
		mailbox(g);
	else if (often < 96)
		push(g, STEP_WRITE, PICK(r, others), value(g));
	else if (often < 98)
		anywhere(g);
	else if (often < 99)
		push(g, STEP_READ, random_below(r, VF_BAR_BYTES / 4) * 4, 0);
	else
		push(g, STEP_PAUSE, random_below(r, random_below(r, 4) ? 3000 : 200000), 0);
}

void generator_begin(struct generator *g, uint64_t seed, uint32_t memory, uint32_t batch)
{
	g->random.state = seed;
	g->memory = memory;
	g->batch = g->left = batch;
	g->queued = g->taken = 0;
}

struct step generator_next(struct generator *g)
{
	struct step step;

	if (!g->left) {
		g->left = g->batch;
		return (struct step){ STEP_JUDGE, 0, 0 };
	}
	while (g->taken == g->queued)
		refill(g);
	step = g->queue[g->taken++];
	g->left -= step_counts(&step);
	return step;
}

static const char letters[STEP_KINDS] = {
	[STEP_WRITE] = 'w',   [STEP_READ] = 'r',    [STEP_ANSWER] = 'a',  [STEP_PAUSE] = 'p',
	[STEP_MEMORY] = 'm', [STEP_FLR] = 'f',	   [STEP_SETTING] = 's', [STEP_PF_RESET] = 'R',
	[STEP_JUDGE] = 'j',
};

int step_print(char *text, size_t size, const struct step *step)
{
	return snprintf(text, size, "%c %x %x\n", letters[step->kind], step->a, step->b);
}

bool step_parse(const char *text, struct step *step)
{
	const char *letter;
	char kind;

	if (sscanf(text, "%c %x %x", &kind, &step->a, &step->b) != 3)
		return false;
	letter = memchr(letters, kind, STEP_KINDS);
	if (!letter)
		return false;
	step->kind = letter - letters;
	return true;
}

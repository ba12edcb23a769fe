// SPDX-License-Identifier: GPL-2.0
/* What PF and neighbour may see of an attacker. */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "judge.h"
#include "marks.h"

#define ETHERTYPE 0x88b5 /* IEEE 802: local experiments */
#define MAGIC 0x77696e64u
#define PATIENCE_US 1000000
#define TRIES 3
/* What follows from the link is written by a work item. */
#define REGISTER_TRIES 25
#define AV (1u << 31)
#define ENABLED (1u << 31)

const char *wrong(struct judge *j, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(j->wrong, sizeof(j->wrong), format, arguments);
	va_end(arguments);
	return j->wrong;
}

/* ---- registers ----------------------------------------------------------------------------- */

static uint32_t read_entry(struct judge *j, const struct entry *e)
{
	return j->host->reg[e->offset / 4];
}

static bool is_of_others(struct judge *j, uint32_t low, uint32_t high)
{
	uint8_t address[8];

	memcpy(address, &low, 4);
	memcpy(address + 4, &high, 4);
	return !memcmp(address, j->host->address, ADDRESS_BYTES) ||
	       !memcmp(address, j->neighbour->address, ADDRESS_BYTES);
}

/* Of a receive address: nothing if only the attacker has it. `e` is RAL, followed by its RAH. */
static bool address_stands(struct judge *j, const struct entry *e)
{
	uint32_t pool = 1u << (18 + j->attacker->index);
	uint32_t low = read_entry(j, e), high = read_entry(j, e + 1);
	bool was = e[1].value & AV && e[1].value & 0x03fc0000 & ~pool;
	bool is = high & AV && high & 0x03fc0000 & ~pool;

	return was == is && (!was || (low == e->value && high == e[1].value));
}

/* Whether the entry gives the attacker an address that another one has. */
static bool is_stolen(struct judge *j, const struct entry *e)
{
	uint32_t low = read_entry(j, e), high = read_entry(j, e + 1);

	return high & AV && high & 1u << (18 + j->attacker->index) && is_of_others(j, low, high);
}

static bool vlan_stands(struct judge *j, const struct entry *e)
{
	uint32_t pool = 1u << (12 + j->attacker->index), now = read_entry(j, e);
	bool was = e->value & ENABLED && e->value & 0xff000 & ~pool;
	bool is = now & ENABLED && now & 0xff000 & ~pool;

	return was == is && (!was || (now & ~pool) == (e->value & ~pool));
}

static bool stands(struct judge *j, const struct entry *e)
{
	switch (e->rule) {
	case RULE_MASK:
		return !((read_entry(j, e) ^ e->value) & ~e->mask);
	case RULE_REOPENED:
		return j->host->reopened || !((read_entry(j, e) ^ e->value) & ~e->mask);
	case RULE_ADDRESS:
		return (e->offset & 4) || (address_stands(j, e) && !is_stolen(j, e));
	case RULE_VLVF:
		return vlan_stands(j, e);
	default:
		return !(e->value & ~read_entry(j, e));
	}
}

static const char *judge_registers(struct judge *j)
{
	for (int i = 0; i < j->plan->entries; i++) {
		struct entry *e = &j->plan->entry[i];
		int tries = REGISTER_TRIES;

		/* Several registers may be halfway. */
		while (!stands(j, e)) {
			if (!--tries)
				return wrong(j, "%s was %#x and is %#x (mask %#x)", e->name,
					     e->value, read_entry(j, e), e->mask);
			pause_us(20000);
		}
		if (e->rule == RULE_REOPENED)
			e->value = read_entry(j, e);
	}
	return NULL;
}

/* An address is in force before it is granted, and need not be any more at the next judgement. */
const char *judge_answer(struct judge *j)
{
	uint32_t word = vf_read(j->attacker, VMBMEM);

	if (!(word & (MSG_ACK | MSG_NACK)))
		return NULL;
	if (word & MSG_NACK) {
		j->denied++;
		return NULL;
	}
	j->granted++;
	if ((word & 0xffff) != MSG_SET_MAC)
		return NULL;
	for (int i = 0; i < j->plan->entries; i++) {
		struct entry *e = &j->plan->entry[i];

		if (e->rule == RULE_ADDRESS && !(e->offset & 4) && is_stolen(j, e))
			return wrong(j, "%s: the attacker is granted an address of another's",
				     e->name);
	}
	return NULL;
}

static void note_registers(struct judge *j)
{
	for (int i = 0; i < j->plan->entries; i++)
		j->plan->entry[i].value = read_entry(j, &j->plan->entry[i]);
}

/* ---- traffic ------------------------------------------------------------------------------- */

enum place { PF, PEER, NEIGHBOUR, PLACES };
static const char *const places[] = { "PF", "peer", "neighbour" };

static const uint8_t *address_of(struct judge *j, enum place place)
{
	return place == PF ? j->host->address : place == PEER ? j->peer : j->neighbour->address;
}

static void compose(struct judge *j, uint8_t *frame, enum place from, enum place to)
{
	uint16_t type = htons(ETHERTYPE);
	uint32_t words[4] = { MAGIC, j->round, from, to };

	memcpy(frame, address_of(j, to), ADDRESS_BYTES);
	memcpy(frame + 6, address_of(j, from), ADDRESS_BYTES);
	memcpy(frame + 12, &type, 2);
	memcpy(frame + 14, words, sizeof(words));
	for (int i = 30; i < FRAME_BYTES; i++)
		frame[i] = i ^ j->round;
}

static const char *send_from(struct judge *j, enum place from, const uint8_t *frame)
{
	if (from == NEIGHBOUR)
		return neighbour_send(j->neighbour, frame, FRAME_BYTES);
	if (send(j->wire[from], frame, FRAME_BYTES, 0) != FRAME_BYTES)
		return wrong(j, "%s cannot send: %m", places[from]);
	return NULL;
}

/* Any frame that is there. */
static const uint8_t *receive_at(struct judge *j, enum place to, size_t *size)
{
	static uint8_t frame[2048];
	ssize_t length;

	if (to == NEIGHBOUR)
		return neighbour_receive(j->neighbour, size);
	length = recv(j->wire[to], frame, sizeof(frame), MSG_DONTWAIT);
	*size = length;
	return length > 0 ? frame : NULL;
}

/* Takes frames until the one is there; what else comes has to be for this place. */
static const char *expect(struct judge *j, enum place to, const uint8_t *frame, bool *came)
{
	uint64_t begin = now_us();

	*came = false;
	while (now_us() - begin < PATIENCE_US * j->plan->slowness) {
		size_t size;
		const uint8_t *got = receive_at(j, to, &size);

		if (!got) {
			pause_us(100);
			continue;
		}
		if (to == NEIGHBOUR && !(got[0] & 1) && memcmp(got, address_of(j, to), ADDRESS_BYTES))
			return wrong(j, "the neighbour has a frame to %02x:..:%02x", got[0], got[5]);
		if (size >= FRAME_BYTES && !memcmp(got, frame, FRAME_BYTES)) {
			*came = true;
			return NULL;
		}
	}
	return NULL;
}

static const char *pass(struct judge *j, enum place from, enum place to)
{
	uint8_t frame[FRAME_BYTES];
	const char *failed;
	bool came;

	/* The first frames after queues were opened are nobody's promise. */
	for (int tries = j->host->reopened ? TRIES : 1; tries; tries--) {
		compose(j, frame, from, to);
		failed = send_from(j, from, frame);
		if (!failed)
			failed = expect(j, to, frame, &came);
		if (failed || came)
			return failed;
		j->resent++;
	}
	return wrong(j, "no frame comes from %s to %s", places[from], places[to]);
}

/* Frames between others are not the attacker's. */
static const char *judge_leak(struct judge *j)
{
	uint32_t mark[2] = { MAGIC, j->round };

	if (memmem(j->attacker->memory, j->attacker->size, mark, sizeof(mark)))
		return "the attacker has a frame of others in its memory";
	return NULL;
}

static const char *judge_traffic(struct judge *j)
{
	const char *failed = NULL;
	socklen_t size = sizeof(int);
	int past;

	/* That the PF was down for a while. */
	if (getsockopt(j->wire[PF], SOL_SOCKET, SO_ERROR, &past, &size))
		err(1, "socket");
	j->round++;
	for (int from = 0; from < PLACES; from++)
		for (int to = 0; to < PLACES; to++)
			if (from != to && !failed)
				failed = pass(j, from, to);
	return failed ? failed : judge_leak(j);
}

/* ---- requests -------------------------------------------------------------------------------- */

static const char *judge_neighbour(struct judge *j)
{
	uint32_t words[2] = { MSG_SET_LPE, 1522 }, answer[3];
	uint64_t begin = now_us();
	const char *failed = NULL;

	if (j->host->was_reset)
		failed = neighbour_start(j->neighbour, 5000000ull * j->plan->slowness);
	if (failed)
		return failed;
	if (j->host->was_reset && now_us() - begin > j->longest_reset_us)
		j->longest_reset_us = now_us() - begin;
	failed = neighbour_ask(j->neighbour, words, 2, answer, 1000000ull * j->plan->slowness);
	if (failed)
		return failed;
	if (answer[0] != (MSG_SET_LPE | MSG_ACK | MSG_CTS))
		return wrong(j, "the neighbour's request is answered %#x", answer[0]);
	return NULL;
}

/* ---- the PF's work --------------------------------------------------------------------------- */

#define MARK_TO_PLUGIN(number, first, second)                                                    \
	asm volatile("nopl %c0(%%rax)" ::"i"(MARK_BASE + (number)), "D"(first), "S"(second)      \
		     : "memory")

static struct work work_done(void)
{
	static struct work work;

	memset(&work, 0, sizeof(work));
	MARK_TO_PLUGIN(MARK_COUNTS, &work, 0ull);
	return work;
}

static void count_work(const struct plan *plan)
{
	MARK_TO_PLUGIN(MARK_TEXT, plan->text[0], plan->text[1]);
	MARK_TO_PLUGIN(MARK_BAR, plan->bar[0], plan->bar[1]);
	MARK_TO_PLUGIN(MARK_FUNCTION, 0ull, plan->functions[0]);
	MARK_TO_PLUGIN(MARK_FUNCTION, 1ull, plan->functions[1]);
	MARK_TO_PLUGIN(MARK_ARM, 0ull, 0ull);
}

bool judge_is_cause(const struct step *step)
{
	return (step->a == V2PMAILBOX && step->b & (V2P_REQ | V2P_ACK)) ||
	       (step->a <= 4 && step->b & VTCTRL_RST);
}

/*
 * An interrupt needs a cause. Beside the attacker's there are those of a judgement (the neighbour's
 * request and what it reads), of a reset, and of the link, which is looked at again and again.
 */
#define INTERRUPTS_OF_JUDGE 8
#define INTERRUPTS_OF_RESET 16
#define INTERRUPTS_A_SECOND 10
/* Of a VF that has to be looked at with each tick of the clock, and what is due by itself. */
#define ITEMS_A_SECOND 1100
#define ITEMS_OF_SETTING 8
#define ITEMS_OF_RESET 32
/*
 * Register accesses. A run of the mailbox server makes at most 158 for one VF that asks
 * (mailbox.rst), beside the filter registers that change. A work item makes four such runs. A setting
 * may change all filter registers, and have the queues opened anew.
 */
#define ACCESSES_OF_RUN (158 + 32)
#define RUNS_OF_ITEM 4
#define ACCESSES_OF_SETTING 1500
#define ACCESSES_OF_RESET 12000

static const char *judge_work(struct judge *j)
{
	struct work now = work_done(), then = j->work;
	struct work did = { now.reads - then.reads, now.writes - then.writes,
			    now.interrupts - then.interrupts, now.items - then.items };
	uint64_t time = now_us(), us = time - j->begin;
	uint64_t interrupts = j->causes + INTERRUPTS_OF_JUDGE + INTERRUPTS_OF_RESET * j->resets +
			      us * INTERRUPTS_A_SECOND / 1000000;
	uint64_t items = j->causes + ITEMS_OF_SETTING * (j->settings + 1) +
			 ITEMS_OF_RESET * j->resets + us * ITEMS_A_SECOND / 1000000;
	uint64_t runs = did.interrupts + RUNS_OF_ITEM * did.items + 1;
	uint64_t accesses = ACCESSES_OF_RUN * runs + ACCESSES_OF_SETTING * (j->settings + 1) +
			    ACCESSES_OF_RESET * j->resets;

	if (did.interrupts > interrupts)
		return wrong(j, "%lu interrupts, for %lu causes", did.interrupts, interrupts);
	if (did.items > items)
		return wrong(j, "%lu work items, not %lu", did.items, items);
	if (did.reads + did.writes > accesses)
		return wrong(j, "%lu register accesses, not %lu", did.reads + did.writes, accesses);
	if (!j->resets && did.reads + did.writes > j->most.reads + j->most.writes)
		j->most = did;
	j->work = now;
	j->begin = time;
	j->all_settings += j->settings;
	j->all_resets += j->resets;
	j->causes = j->settings = j->resets = 0;
	return NULL;
}

const char *judge_all(struct judge *j)
{
	const char *failed;

	j->rounds++;
	failed = host_settle(j->host, 10000000ull * j->plan->slowness);
	if (!failed)
		failed = judge_neighbour(j);
	if (!failed)
		failed = judge_registers(j);
	if (!failed)
		failed = judge_traffic(j);
	if (!failed)
		failed = judge_work(j);
	j->host->reopened = j->host->was_reset = false;
	return failed ? failed : judge_log(j);
}

/* ---- set-up -------------------------------------------------------------------------------- */

static int open_wire(const char *interface)
{
	struct sockaddr_ll name = { .sll_family = AF_PACKET,
				    .sll_protocol = htons(ETHERTYPE),
				    .sll_ifindex = if_nametoindex(interface) };
	int wire = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETHERTYPE));

	if (wire < 0 || bind(wire, (void *)&name, sizeof(name)))
		err(1, "%s", interface);
	return wire;
}

static void open_peer(struct judge *j)
{
	int here = open("/proc/self/ns/net", O_RDONLY), there = open(j->plan->netns, O_RDONLY);
	struct ifreq request = { .ifr_name = "peer" };

	if (here < 0 || there < 0 || setns(there, CLONE_NEWNET))
		err(1, "%s", j->plan->netns);
	j->wire[PEER] = open_wire("peer");
	if (ioctl(j->wire[PEER], SIOCGIFHWADDR, &request) || setns(here, CLONE_NEWNET))
		err(1, "the peer");
	memcpy(j->peer, request.ifr_hwaddr.sa_data, ADDRESS_BYTES);
	close(here);
	close(there);
}

void judge_begin(struct judge *j, struct plan *plan, struct host *host, struct vf *attacker,
		 struct neighbour *neighbour)
{
	const char *failed;

	*j = (struct judge){ .plan = plan, .host = host, .attacker = attacker,
			     .neighbour = neighbour };
	j->wire[PF] = open_wire(host->name);
	open_peer(j);
	log_open(j);
	count_work(plan);
	host_undo_all(host);
	host->reopened = true;
	failed = host_settle(host, 10000000ull * plan->slowness);
	if (!failed)
		failed = neighbour_start(neighbour, 5000000ull * plan->slowness);
	if (!failed)
		failed = judge_traffic(j);
	j->work = j->first_work = work_done();
	j->begin = j->first = now_us();
	note_registers(j);
	if (!failed)
		failed = judge_all(j);
	if (failed)
		errx(3, "before anything was done: %s", failed);
}

void judge_print(const struct judge *j)
{
	printf("rounds %llu\nlines %llu\ncut_off %lu\ntold %lu\ngranted %lu\ndenied %lu\n"
	       "resent %llu\nslowest_us %llu\nlongest_reset_us %llu\n"
	       "interrupts %lu\nitems %lu\naccesses %lu\nmost_accesses %lu\n",
	       (unsigned long long)j->rounds, (unsigned long long)j->lines, j->cut_off, j->told,
	       j->granted, j->denied,
	       (unsigned long long)j->resent, (unsigned long long)j->neighbour->slowest_us,
	       (unsigned long long)j->longest_reset_us, j->work.interrupts - j->first_work.interrupts,
	       j->work.items - j->first_work.items,
	       j->work.reads + j->work.writes - j->first_work.reads - j->first_work.writes,
	       j->most.reads + j->most.writes);
}

static const char *const rules[RULES] = { "mask", "reopened", "address", "vlvf", "table" };

static void read_entry_line(struct plan *plan, const char *line)
{
	struct entry *e = &plan->entry[plan->entries];
	char rule[16];

	if (plan->entries == MAX_REGISTERS ||
	    sscanf(line, "%15s %23s %x %x", rule, e->name, &e->offset, &e->mask) != 4)
		errx(2, "plan: %s", line);
	for (int n = 0; n < RULES; n++)
		if (!strcmp(rule, rules[n])) {
			e->rule = n;
			plan->entries++;
			return;
		}
	errx(2, "plan: %s", line);
}

void plan_read(struct plan *plan, const char *path)
{
	FILE *file = fopen(path, "r");
	char line[256];
	uint8_t *a = plan->address, *p = plan->pf_address;

	if (!file ||
	    fscanf(file, "%15s %15s %d %15s %d %15s %63s", plan->pf, plan->interface, &plan->attacker,
		   plan->vf[0], &plan->neighbour, plan->vf[1], plan->netns) != 7 ||
	    fscanf(file, " %hhx:%hhx:%hhx:%hhx:%hhx:%hhx %u %u %u", a, a + 1, a + 2, a + 3, a + 4,
		   a + 5, &plan->memory, &plan->batch, &plan->slowness) != 9 ||
	    fscanf(file, " %lx %lx %lx %lx %lx %lx", plan->text, plan->text + 1, plan->bar,
		   plan->bar + 1, plan->functions, plan->functions + 1) != 6 ||
	    fscanf(file, " %hhx:%hhx:%hhx:%hhx:%hhx:%hhx\n", p, p + 1, p + 2, p + 3, p + 4,
		   p + 5) != 6)
		errx(2, "plan: %s", path);
	while (fgets(line, sizeof(line), file))
		read_entry_line(plan, line);
	fclose(file);
}

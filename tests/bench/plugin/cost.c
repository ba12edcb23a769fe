// SPDX-License-Identifier: GPL-2.0
/*
 * A QEMU TCG plugin that counts what a network driver costs: the instructions executed between
 * entry to and return from the functions the kernel calls it by (the roots), and its accesses to
 * the device's registers.
 *
 * Helpers of the kernel the driver calls are counted. What it calls to hand packets over (the upcalls:
 * to the stack, to a program and where that wants them) is not, but for roots called from there, nor
 * are interrupts that come in between. A string instruction counts once, however often it iterates,
 * of which emulator and processor have different notions; how many bytes it copied is counted apart.
 *
 * Until the guest asks for it (MARK_ARM), nothing is instrumented, and QEMU runs at full speed.
 *
 * Argument: out=FILE, where one line is written for each thing found out (see dump()).
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "marks.h"
#include "qemu-plugin.h"

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

#define KERNEL_START 0xffffffff80000000ull
#define MAX_FUNCTIONS 32
#define MAX_RANGES 64
#define MAX_DEPTH 32
#define MAX_BAR 0x20000
#define BUCKETS (1 << 16)

/* An instruction of the kernel, and how often each kind of root executed it. */
struct site {
	struct site *next;
	uint64_t addr;
	bool repeats;
	unsigned int copies; /* bytes an iteration of a string instruction copies */
	uint64_t count[ROOT_KINDS];
	uint64_t bytes[ROOT_KINDS];
};

struct function {
	uint64_t addr;
	int kind;
	uint64_t calls;
};

struct frame {
	uint64_t resume;
	uint64_t sp;
	int kind;
};

/* First element of the scoreboard: what the inlined condition looks at. */
struct cpu {
	uint64_t depth;
	struct frame frames[MAX_DEPTH];
	struct site *string; /* the instruction before was this one, with so many iterations left */
	uint64_t left;
	struct qemu_plugin_register *rsp, *rdi, *rsi, *rcx;
	GByteArray *value;
};

static FILE *out;
static qemu_plugin_id_t self;
static struct qemu_plugin_scoreboard *cpus;
static qemu_plugin_u64 depth;

/* CPUs translate at the same time; sites are never freed. */
static pthread_mutex_t sites_lock = PTHREAD_MUTEX_INITIALIZER;
static struct site *sites[BUCKETS];
static struct function functions[MAX_FUNCTIONS];
static int nr_functions;
static struct {
	uint64_t start, end;
} ranges[MAX_RANGES];
static int nr_ranges;
static uint64_t bar, bar_size;
static bool armed, counting;
static uint64_t reads[MAX_BAR / 4], writes[MAX_BAR / 4];

static struct cpu *cpu_of(unsigned int vcpu)
{
	return qemu_plugin_scoreboard_find(cpus, vcpu);
}

static void find_registers(struct cpu *cpu)
{
	GArray *list = qemu_plugin_get_registers();
	qemu_plugin_reg_descriptor *found = (void *)list->data;

	for (unsigned int i = 0; i < list->len; i++) {
		if (!strcmp(found[i].name, "rsp"))
			cpu->rsp = found[i].handle;
		else if (!strcmp(found[i].name, "rdi"))
			cpu->rdi = found[i].handle;
		else if (!strcmp(found[i].name, "rsi"))
			cpu->rsi = found[i].handle;
		else if (!strcmp(found[i].name, "rcx"))
			cpu->rcx = found[i].handle;
	}
	g_array_free(list, 1);
	cpu->value = g_byte_array_new();
}

static uint64_t value_of(struct cpu *cpu, struct qemu_plugin_register *handle)
{
	uint64_t value = 0;

	g_byte_array_set_size(cpu->value, 0);
	if (!qemu_plugin_read_register(handle, cpu->value) || cpu->value->len != 8) {
		fprintf(out, "error cannot read a register\n");
		return 0;
	}
	memcpy(&value, cpu->value->data, 8);
	return value;
}

static void enter(struct cpu *cpu, uint64_t resume, uint64_t sp, int kind)
{
	if (cpu->depth == MAX_DEPTH) {
		fprintf(out, "error too many nested functions\n");
		cpu->depth = 0;
		return;
	}
	cpu->frames[cpu->depth++] = (struct frame){ resume, sp, kind };
}

/* Word `index` of the stack. */
static uint64_t on_stack(struct cpu *cpu, uint64_t sp, int index)
{
	uint64_t word = 0;

	g_byte_array_set_size(cpu->value, 0);
	if (qemu_plugin_read_memory_vaddr(sp + 8 * index, cpu->value, 8))
		memcpy(&word, cpu->value->data, 8);
	else
		fprintf(out, "error cannot read the stack\n");
	return word;
}

/* First instruction of a root or an upcall. */
static void on_entry(unsigned int vcpu, void *data)
{
	struct function *function = data;
	struct cpu *cpu = cpu_of(vcpu);
	uint64_t sp;

	if (!counting)
		return;
	if (!cpu->value)
		find_registers(cpu);
	if (function->kind >= ROOT_KINDS && !cpu->depth)
		return; /* not called by the driver under test */
	__atomic_add_fetch(&function->calls, 1, __ATOMIC_RELAXED);
	sp = value_of(cpu, cpu->rsp);
	enter(cpu, on_stack(cpu, sp, 0), sp + 8, function->kind);
}

/* A string instruction, as a whole or one of its iterations, as the emulator likes; whether it begins. */
static bool string_begins(struct cpu *cpu, struct site *site, int kind)
{
	uint64_t left = value_of(cpu, cpu->rcx);
	bool goes_on = cpu->string == site && left < cpu->left;

	cpu->string = site;
	cpu->left = left;
	if (goes_on)
		return false;
	__atomic_add_fetch(&site->bytes[kind], left * site->copies, __ATOMIC_RELAXED);
	return true;
}

/* Any instruction of the kernel while a root is on the stack. */
static void on_insn(unsigned int vcpu, void *data)
{
	struct site *site = data;
	struct cpu *cpu = cpu_of(vcpu);
	int kind;

	while (cpu->depth && cpu->frames[cpu->depth - 1].resume == site->addr &&
	       cpu->frames[cpu->depth - 1].sp == value_of(cpu, cpu->rsp))
		cpu->depth--;
	if (!cpu->depth)
		return;
	kind = cpu->frames[cpu->depth - 1].kind;
	if (kind >= ROOT_KINDS)
		return;
	if (!site->repeats)
		cpu->string = NULL;
	else if (!string_begins(cpu, site, kind))
		return;
	__atomic_add_fetch(&site->count[kind], 1, __ATOMIC_RELAXED);
}

/* An interrupt or exception: counted no further until what it interrupted goes on. */
static void on_interrupt(unsigned int vcpu, int type, uint64_t from, uint64_t to, void *data)
{
	struct cpu *cpu = cpu_of(vcpu);
	uint64_t sp;
	int code;

	if (!cpu->depth)
		return;
	/* The processor has pushed SS, RSP, RFLAGS, CS, RIP and perhaps an error code. */
	sp = value_of(cpu, cpu->rsp);
	code = on_stack(cpu, sp, 0) != from;
	enter(cpu, from, on_stack(cpu, sp, 3 + code), KIND_INTERRUPT);
}

static void on_access(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *data)
{
	struct qemu_plugin_hwaddr *haddr;
	uint64_t offset;

	if (!counting)
		return;
	haddr = qemu_plugin_get_hwaddr(info, vaddr);
	if (!haddr || !qemu_plugin_hwaddr_is_io(haddr))
		return;
	offset = qemu_plugin_hwaddr_phys_addr(haddr) - bar;
	if (offset >= bar_size)
		return;
	if (qemu_plugin_mem_is_store(info))
		__atomic_add_fetch(&writes[offset / 4], 1, __ATOMIC_RELAXED);
	else
		__atomic_add_fetch(&reads[offset / 4], 1, __ATOMIC_RELAXED);
}

static void begin(void)
{
	for (int i = 0; i < BUCKETS; i++)
		for (struct site *site = sites[i]; site; site = site->next) {
			memset(site->count, 0, sizeof(site->count));
			memset(site->bytes, 0, sizeof(site->bytes));
		}
	for (int i = 0; i < nr_functions; i++)
		functions[i].calls = 0;
	memset(reads, 0, sizeof(reads));
	memset(writes, 0, sizeof(writes));
	counting = true;
}

static void dump_counts(const char *word, const struct site *site, const uint64_t *counts)
{
	uint64_t sum = 0;

	for (int kind = 0; kind < ROOT_KINDS; kind++)
		sum += counts[kind];
	if (!sum)
		return;
	fprintf(out, "%s %llx", word, (unsigned long long)site->addr);
	for (int kind = 0; kind < ROOT_KINDS; kind++)
		fprintf(out, " %llu", (unsigned long long)counts[kind]);
	fputc('\n', out);
}

/* Lines of a phase: "calls FUNCTION COUNT", "insn ADDRESS COUNT-PER-KIND...", "bytes ADDRESS
 * BYTES-PER-KIND..." of string instructions, "read|write OFFSET COUNT", all after "phase ID" and
 * before "end ID".
 */
static void dump(unsigned long id)
{
	counting = false;
	fprintf(out, "phase %lu\n", id);
	for (int i = 0; i < nr_functions; i++)
		fprintf(out, "calls %llx %llu\n", (unsigned long long)functions[i].addr,
			(unsigned long long)functions[i].calls);
	for (int i = 0; i < BUCKETS; i++)
		for (struct site *site = sites[i]; site; site = site->next) {
			dump_counts("insn", site, site->count);
			dump_counts("bytes", site, site->bytes);
		}
	for (int i = 0; i < MAX_BAR / 4; i++) {
		if (reads[i])
			fprintf(out, "read %x %llu\n", i * 4, (unsigned long long)reads[i]);
		if (writes[i])
			fprintf(out, "write %x %llu\n", i * 4, (unsigned long long)writes[i]);
	}
	fprintf(out, "end %lu\n", id);
	fflush(out);
}

static struct site *site_at(uint64_t addr)
{
	struct site **place = &sites[(addr ^ addr >> 16) & (BUCKETS - 1)];
	struct site *site;

	pthread_mutex_lock(&sites_lock);
	for (site = *place; site; site = site->next)
		if (site->addr == addr)
			break;
	if (!site) {
		site = calloc(1, sizeof(*site));
		site->addr = addr;
		site->next = *place;
		*place = site;
	}
	pthread_mutex_unlock(&sites_lock);
	return site;
}

/* Looks for REP with a string instruction, and what one iteration of it copies. */
static void see_string(struct site *site, const uint8_t *code, size_t len)
{
	bool prefix = false, word = false, rex_w = false;
	size_t i = 0;

	while (i < len && (code[i] == 0x66 || code[i] == 0xf2 || code[i] == 0xf3)) {
		prefix |= code[i] != 0x66;
		word |= code[i] == 0x66;
		i++;
	}
	if (i < len && (code[i] & 0xf0) == 0x40)
		rex_w = code[i++] & 8;
	if (!prefix || i >= len)
		return;
	site->repeats = (code[i] >= 0x6c && code[i] <= 0x6f) ||
			(code[i] >= 0xa4 && code[i] <= 0xa7) ||
			(code[i] >= 0xaa && code[i] <= 0xaf);
	if (code[i] == 0xa4)
		site->copies = 1;
	else if (code[i] == 0xa5)
		site->copies = rex_w ? 8 : word ? 2 : 4;
}

static bool may_access_registers(uint64_t addr)
{
	for (int i = 0; i < nr_ranges; i++)
		if (addr >= ranges[i].start && addr < ranges[i].end)
			return true;
	return false;
}

static void instrument(struct qemu_plugin_insn *insn, uint64_t addr, const uint8_t *code, size_t len)
{
	struct site *site = site_at(addr);

	see_string(site, code, len);
	/* Before the entry: a tail call from one root to another ends neither. */
	qemu_plugin_register_vcpu_insn_exec_cond_cb(insn, on_insn, QEMU_PLUGIN_CB_R_REGS,
						    QEMU_PLUGIN_COND_NE, depth, 0, site);
	for (int i = 0; i < nr_functions; i++)
		if (functions[i].addr == addr)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_entry,
							       QEMU_PLUGIN_CB_R_REGS,
							       &functions[i]);
	if (may_access_registers(addr))
		qemu_plugin_register_vcpu_mem_cb(insn, on_access, QEMU_PLUGIN_CB_NO_REGS,
						 QEMU_PLUGIN_MEM_RW, NULL);
}

static void on_translate(struct qemu_plugin_tb *tb, void *data);

static void on_armed(void *data)
{
	qemu_plugin_register_vcpu_tb_trans_cb(self, on_translate, NULL);
	qemu_plugin_register_vcpu_discon_cb(self,
					    QEMU_PLUGIN_DISCON_INTERRUPT |
						    QEMU_PLUGIN_DISCON_EXCEPTION,
					    on_interrupt, NULL);
}

static void on_mark(unsigned int vcpu, void *data)
{
	struct cpu *cpu = cpu_of(vcpu);
	uint64_t first, second;

	if (!cpu->value)
		find_registers(cpu);
	first = value_of(cpu, cpu->rdi);
	second = value_of(cpu, cpu->rsi);
	switch ((uintptr_t)data) {
	case MARK_BEGIN:
		begin();
		break;
	case MARK_END:
		dump(first);
		break;
	case MARK_FUNCTION:
		if (nr_functions == MAX_FUNCTIONS)
			fprintf(out, "error too many functions\n");
		else
			functions[nr_functions++] =
				(struct function){ .addr = second, .kind = (int)first };
		break;
	case MARK_TEXT:
		if (nr_ranges < MAX_RANGES) {
			ranges[nr_ranges].start = first;
			ranges[nr_ranges++].end = second;
		}
		break;
	case MARK_BAR:
		bar = first;
		bar_size = second < MAX_BAR ? second : MAX_BAR;
		break;
	case MARK_ARM:
		armed = true;
		qemu_plugin_reset(self, on_armed, NULL);
		break;
	}
}

static void on_translate(struct qemu_plugin_tb *tb, void *data)
{
	static const uint8_t mark[5] = { 0x0f, 0x1f, 0x80, MARK_BASE & 0xff, MARK_BASE >> 8 & 0xff };
	uint8_t code[16];

	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t addr = qemu_plugin_insn_vaddr(insn);
		size_t len;

		if (addr >= KERNEL_START && !armed)
			continue;
		len = qemu_plugin_insn_data(insn, code, sizeof(code));
		if (addr >= KERNEL_START)
			instrument(insn, addr, code, len);
		else if (len == 7 && !memcmp(code, mark, 3) && code[5] == (MARK_BASE >> 16 & 0xff) &&
			 code[6] == (MARK_BASE >> 24 & 0xff))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, QEMU_PLUGIN_CB_R_REGS,
							       (void *)(uintptr_t)code[3]);
	}
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
					   char **argv)
{
	for (int i = 0; i < argc; i++)
		if (!strncmp(argv[i], "out=", 4))
			out = fopen(argv[i] + 4, "w");
	if (!out) {
		fprintf(stderr, "cost: needs out=FILE\n");
		return -1;
	}
	self = id;
	cpus = qemu_plugin_scoreboard_new(sizeof(struct cpu));
	depth = (qemu_plugin_u64){ cpus, offsetof(struct cpu, depth) };
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate, NULL);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * A QEMU TCG plugin that counts the work a driver does: its accesses to the device's registers, and
 * how often some of its functions begin. The program in the guest says which, by
 * tests/bench/plugin/marks.h, and asks for the counters. All else runs at full speed, as only the
 * driver's own instructions are instrumented.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "marks.h"
#include "qemu-plugin.h"

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

#define KERNEL_START 0xffffffff80000000ull
#define KINDS 2 /* interrupts, work items */

enum counter { READS, WRITES, BEGUN, COUNTERS = BEGUN + KINDS };

static qemu_plugin_id_t self;
static uint64_t counters[COUNTERS];
/* What is counted, and what was when code was last instrumented: the driver may be another since. */
static struct {
	uint64_t functions[KINDS];
	uint64_t text_start, text_end, bar, bar_size;
} wanted, counted;
static bool armed;

static uint64_t argument(const char *name)
{
	GArray *list = qemu_plugin_get_registers();
	qemu_plugin_reg_descriptor *found = (void *)list->data;
	GByteArray *bytes = g_byte_array_new();
	uint64_t value = 0;

	for (unsigned int i = 0; i < list->len; i++)
		if (!strcmp(found[i].name, name) &&
		    qemu_plugin_read_register(found[i].handle, bytes) && bytes->len == 8)
			memcpy(&value, bytes->data, 8);
	g_byte_array_free(bytes, 1);
	g_array_free(list, 1);
	return value;
}

static void on_begin(unsigned int vcpu, void *counter)
{
	__atomic_add_fetch((uint64_t *)counter, 1, __ATOMIC_RELAXED);
}

static void on_access(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *data)
{
	struct qemu_plugin_hwaddr *haddr = qemu_plugin_get_hwaddr(info, vaddr);

	if (!haddr || !qemu_plugin_hwaddr_is_io(haddr) ||
	    qemu_plugin_hwaddr_phys_addr(haddr) - counted.bar >= counted.bar_size)
		return;
	on_begin(vcpu, &counters[qemu_plugin_mem_is_store(info) ? WRITES : READS]);
}

static void on_translate(struct qemu_plugin_tb *tb, void *data);

static void on_armed(void *data)
{
	qemu_plugin_register_vcpu_tb_trans_cb(self, on_translate, NULL);
}

static void answer(uint64_t to)
{
	GByteArray *bytes = g_byte_array_new();

	g_byte_array_set_size(bytes, sizeof(counters));
	for (int i = 0; i < COUNTERS; i++) {
		uint64_t value = __atomic_load_n(&counters[i], __ATOMIC_RELAXED);

		memcpy(bytes->data + 8 * i, &value, 8);
	}
	if (!qemu_plugin_write_memory_vaddr(to, bytes))
		fprintf(stderr, "work: cannot write to the guest\n");
	g_byte_array_free(bytes, 1);
}

static void on_mark(unsigned int vcpu, void *data)
{
	uint64_t first = argument("rdi"), second = argument("rsi");

	switch ((uintptr_t)data) {
	case MARK_FUNCTION:
		if (first < KINDS)
			wanted.functions[first] = second;
		break;
	case MARK_TEXT:
		wanted.text_start = first;
		wanted.text_end = second;
		break;
	case MARK_BAR:
		wanted.bar = first;
		wanted.bar_size = second;
		break;
	case MARK_ARM:
		if (armed && !memcmp(&wanted, &counted, sizeof(wanted)))
			break;
		counted = wanted;
		armed = true;
		qemu_plugin_reset(self, on_armed, NULL);
		break;
	case MARK_COUNTS:
		answer(first);
		break;
	}
}

static void instrument(struct qemu_plugin_insn *insn, uint64_t addr)
{
	qemu_plugin_register_vcpu_mem_cb(insn, on_access, QEMU_PLUGIN_CB_NO_REGS,
					 QEMU_PLUGIN_MEM_RW, NULL);
	for (int kind = 0; kind < KINDS; kind++)
		if (counted.functions[kind] == addr)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_begin,
							       QEMU_PLUGIN_CB_NO_REGS,
							       &counters[BEGUN + kind]);
}

static void on_translate(struct qemu_plugin_tb *tb, void *data)
{
	static const uint8_t mark[3] = { 0x0f, 0x1f, 0x80 };
	uint8_t code[16];

	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t addr = qemu_plugin_insn_vaddr(insn);

		if (armed && addr >= counted.text_start && addr < counted.text_end)
			instrument(insn, addr);
		else if (addr < KERNEL_START &&
			 qemu_plugin_insn_data(insn, code, sizeof(code)) == 7 &&
			 !memcmp(code, mark, sizeof(mark)) && code[4] == 0 &&
			 code[5] == (MARK_BASE >> 16 & 0xff) && code[6] == (MARK_BASE >> 24 & 0xff))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, QEMU_PLUGIN_CB_R_REGS,
							       (void *)(uintptr_t)code[3]);
	}
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
					   char **argv)
{
	self = id;
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate, NULL);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Headers that many files of the kernel read, directly or not, to be precompiled: see compile.
 *
 * Each file has names of its own for itself and its module, given as options. These are for the
 * functions in headers, which then say "kernel" in a message.
 */
#define KBUILD_MODNAME "kernel"
#define KBUILD_BASENAME "kernel"
#define KBUILD_MODFILE "kernel"
#define __KBUILD_MODNAME kernel

#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/syscalls.h>
#include <linux/trace_events.h>

#include <linux/mm.h>
#include <linux/hugetlb.h>
#include <linux/memblock.h>
#include <linux/pagemap.h>
#include <linux/swap.h>

#include <linux/blkdev.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/seq_file.h>

#include <linux/acpi.h>
#include <linux/clk.h>
#include <linux/clockchips.h>
#include <linux/clocksource.h>
#include <linux/console.h>
#include <linux/device.h>
#include <linux/efi.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/kfifo.h>
#include <linux/kvm_host.h>
#include <linux/msi.h>
#include <linux/of.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/suspend.h>
#include <linux/tick.h>

#include <linux/bpf.h>
#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <net/genetlink.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>
#include <net/rtnetlink.h>
#include <net/sock.h>
#include <net/tcp.h>

#undef KBUILD_MODNAME
#undef KBUILD_BASENAME
#undef KBUILD_MODFILE
#undef __KBUILD_MODNAME

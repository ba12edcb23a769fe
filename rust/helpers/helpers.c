// SPDX-License-Identifier: GPL-2.0
/*
 * Inline functions and macros, as functions Rust can call: `nbh_x()` is `netbind::x()`.
 *
 * One file per subject, included here so that they form one object and one input of
 * bindgen. A helper does no more than the inline it stands for, except on the data path,
 * where one call per packet (instead of ten) is the point.
 */

#include "binding.c"
#include "bridge.c"
#include "datapath.c"
#include "debugfs.c"
#include "devlink.c"
#include "irq.c"
#include "lock.c"
#include "pci.c"
#include "ptp.c"
#include "vf.c"
#include "work.c"
#include "xdp.c"
#include "xsk.c"

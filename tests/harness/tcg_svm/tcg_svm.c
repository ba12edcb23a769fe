// SPDX-License-Identifier: GPL-2.0
/*
 * Test module: lets KVM on TCG's emulation of SVM run guests for long.
 *
 * When an exception has been delivered in a guest, TCG leaves its type in EXITINTINFO at the next
 * exit and clears only the valid bit. svm_check_emulate_instruction() looks at the type alone: if
 * that exit is an access to a device, it takes it for one in the middle of a delivery and gives the
 * guest up ("KVM internal error. Suberror: 3"). No guest here has its stack or its interrupt table
 * in a device, so there is no such access, and the answer is changed to "go on".
 */
#include <linux/kprobes.h>
#include <linux/module.h>

/* arch/x86/kvm/kvm_emulate.h */
#define X86EMUL_CONTINUE		0
#define X86EMUL_UNHANDLEABLE_VECTORING	7

static int returned(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	if ((int)regs_return_value(regs) == X86EMUL_UNHANDLEABLE_VECTORING)
		regs_set_return_value(regs, X86EMUL_CONTINUE);
	return 0;
}

static struct kretprobe probe = {
	.kp.symbol_name = "svm_check_emulate_instruction",
	.handler = returned,
	.maxactive = 64,
};

static int __init tcg_svm_init(void)
{
	return register_kretprobe(&probe);
}

static void __exit tcg_svm_exit(void)
{
	unregister_kretprobe(&probe);
}

module_init(tcg_svm_init);
module_exit(tcg_svm_exit);
MODULE_DESCRIPTION("Makes KVM tolerate a flaw of TCG's SVM");
MODULE_LICENSE("GPL");

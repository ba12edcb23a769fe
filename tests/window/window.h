/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A fuzzer of all registers that a VF can reach: a program in the guest. One VF is the attacker's,
 * another one an honest neighbour's; both are driven from here, through VFIO. The PF has the driver
 * under test. Documentation/attacks.rst says what is judged.
 */
#ifndef WINDOW_H
#define WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- registers of a VF (82576 datasheet, 8.26) --------------------------------------------- */

#define VTCTRL 0x0000
#define VTCTRL_RST (1u << 26)
#define STATUS 0x0008
#define VTEICS 0x1520
#define VTEIMS 0x1524
#define VTEIMC 0x1528
#define VTEIAC 0x152c
#define VTEIAM 0x1530
#define VTEICR 0x1580
#define VTEITR 0x1680
#define VTIVAR 0x1700
#define VTIVAR_MISC 0x1740
#define PBACL 0x0f04
#define PSRTYPE 0x0f0c
#define VMBMEM 0x0800
#define VMBMEM_WORDS 16
#define V2PMAILBOX 0x0c40
#define V2P_REQ 0x01u
#define V2P_ACK 0x02u
#define V2P_VFU 0x04u
#define V2P_PFU 0x08u
#define V2P_PFSTS 0x10u
#define V2P_PFACK 0x20u
#define V2P_RSTI 0x40u
#define V2P_RSTD 0x80u
/* Queue n of two: 0x100 further. */
#define RDBAL 0x2800
#define RDBAH 0x2804
#define RDLEN 0x2808
#define SRRCTL 0x280c
#define RDH 0x2810
#define RXCTL 0x2814
#define RDT 0x2818
#define RXDCTL 0x2828
#define RQDPC 0x2830
#define TDBAL 0x3800
#define TDBAH 0x3804
#define TDLEN 0x3808
#define TDH 0x3810
#define TXCTL 0x3814
#define TDT 0x3818
#define TXDCTL 0x3828
#define TDWBAL 0x3838
#define TDWBAH 0x383c
#define QUEUE_STRIDE 0x100
#define XDCTL_ENABLE (1u << 25)
#define VF_BAR_BYTES 0x4000

/* ---- of the PF ----------------------------------------------------------------------------- */

#define PF_STATUS 0x0008
#define STATUS_LU (1u << 1)
#define PF_ICS 0x00c8
/* The model takes DRSTA for a timer's cause, which has a vector of its own: LSC brings it along. */
#define ICS_DRSTA_LSC (1u << 30 | 1u << 2)
/* Of an eighth VF, which there is not: nobody writes it, and it is gone after a reset. */
#define PF_VTIVAR_MISC_7 0x1173c
#define MARK 1u

/* ---- messages ------------------------------------------------------------------------------ */

#define MSG_VF_RESET 0x01u
#define MSG_SET_MAC 0x02u
#define MSG_SET_MULTICAST 0x03u
#define MSG_SET_VLAN 0x04u
#define MSG_SET_LPE 0x05u
#define MSG_SET_PROMISC 0x06u
#define MSG_ACK 0x80000000u
#define MSG_NACK 0x40000000u
#define MSG_CTS 0x20000000u

/* ---- functions ----------------------------------------------------------------------------- */

#define ADDRESS_BYTES 6
/* Where a VF sees its memory: nothing else can be reached by its DMA. */
#define DMA_BASE 0x100000u

struct vf {
	int index;
	int device; /* of VFIO */
	uint64_t config; /* where the device has its configuration space */
	volatile uint32_t *reg;
	uint8_t *memory; /* at DMA_BASE of the VF */
	size_t size;
};

void vf_open(struct vf *vf, int index, const char *pci, size_t bytes);
void vf_reset(struct vf *vf);

static inline uint32_t vf_read(const struct vf *vf, uint32_t offset)
{
	return vf->reg[offset / 4];
}

static inline void vf_write(const struct vf *vf, uint32_t offset, uint32_t value)
{
	vf->reg[offset / 4] = value;
}

uint64_t now_us(void);
void pause_us(uint64_t us);

/* ---- the neighbour ------------------------------------------------------------------------- */

/* An honest driver of a VF, as little as it takes. */
struct neighbour {
	struct vf vf;
	uint8_t address[ADDRESS_BYTES];
	unsigned int sent, received; /* descriptors so far */
	uint64_t slowest_us; /* answer */
};

#define FRAME_BYTES 128

/* Each returns NULL, or what went wrong. */
const char *neighbour_start(struct neighbour *n, uint64_t limit_us);
const char *neighbour_ask(struct neighbour *n, const uint32_t *words, int count, uint32_t *answer,
			  uint64_t limit_us);
const char *neighbour_send(struct neighbour *n, const uint8_t *frame, size_t size);
/* The next frame, or NULL; valid until the next call. */
const uint8_t *neighbour_receive(struct neighbour *n, size_t *size);

/* ---- steps --------------------------------------------------------------------------------- */

enum kind {
	STEP_WRITE, /* a: offset, b: value */
	STEP_READ, /* a: offset */
	STEP_ANSWER, /* waits for an answer of the PF, a: us at most, and judges what it grants */
	STEP_PAUSE, /* a: us */
	STEP_MEMORY, /* a: offset in the attacker's memory, b: value */
	STEP_FLR, /* of the attacker's VF */
	STEP_SETTING, /* a: enum setting, b: its argument */
	STEP_PF_RESET, /* a: enum pf_reset */
	STEP_JUDGE,
	STEP_KINDS
};

struct step {
	uint8_t kind;
	uint32_t a, b;
};

enum setting {
	SET_MAC,
	SET_VLAN,
	SET_SPOOFCHK,
	SET_TRUST,
	SET_STATE,
	SET_RATE,
	SET_OTHERS, /* from here on: of the PF, and undone before anything is judged */
	SET_PF_PROMISC = SET_OTHERS,
	SET_PF_ALLMULTI,
	SET_REOPENS, /* from here on: with all queues of the PF's */
	SET_PF_MTU = SET_REOPENS,
	SET_PF_DOWN, /* and up */
	SETTINGS
};

enum pf_reset {
	RESET_BY_CAUSE, /* the controller asks for it */
	RESET_BY_FLR, /* of the PF */
	PF_RESETS
};

/* Whether it counts: what is written to a register, by whomever, and resets. */
static inline bool step_counts(const struct step *step)
{
	return step->kind == STEP_WRITE || step->kind == STEP_FLR || step->kind == STEP_SETTING ||
	       step->kind == STEP_PF_RESET;
}

struct random {
	uint64_t state;
};

uint64_t random_next(struct random *r);
uint32_t random_below(struct random *r, uint32_t bound);

/* The steps of a seed, with a judgement after each so many that count. */
struct generator {
	struct random random;
	uint32_t memory; /* bytes of the attacker's */
	uint32_t batch, left; /* steps that count between judgements */
	uint8_t pf[ADDRESS_BYTES], neighbour[ADDRESS_BYTES];
	struct step queue[256];
	unsigned int queued, taken;
};

void generator_begin(struct generator *g, uint64_t seed, uint32_t memory, uint32_t batch);
struct step generator_next(struct generator *g);
int step_print(char *text, size_t size, const struct step *step);
bool step_parse(const char *text, struct step *step);

/* ---- the host's side ----------------------------------------------------------------------- */

struct host {
	const char *pci; /* of the PF */
	char name[16]; /* its interface */
	int interface; /* and its number */
	int attacker; /* VF */
	int route, control; /* sockets */
	volatile uint32_t *reg; /* of the PF */
	uint8_t address[ADDRESS_BYTES];
	bool promisc, allmulti, mtu; /* what is to be undone */
	bool reopened; /* the PF's queues were, and their rings may have moved */
	bool resets; /* it was asked to, and has not begun */
	bool was_reset; /* the PF was: VFs have to begin anew */
};

void host_open(struct host *h, const char *pci, const char *name, int attacker);
int host_set(struct host *h, enum setting setting, uint32_t argument);
void host_undo_others(struct host *h);
void host_undo_all(struct host *h);
void host_reset(struct host *h, enum pf_reset how);
/* Waits until a reset that was asked for is over and the PF is up: NULL, or what is wrong. */
const char *host_settle(struct host *h, uint64_t limit_us);

#endif

// SPDX-License-Identifier: GPL-2.0
/* An honest driver of a VF: handshake, one queue each way, polled. */
#include <stdio.h>
#include <string.h>

#include "window.h"

#define RING 32
#define DESCRIPTOR_BYTES 16
#define BUFFER_BYTES 2048
#define RX_RING 0x0000u
#define TX_RING 0x1000u
#define RX_BUFFERS 0x10000u
#define TX_BUFFER 0x2000u

#define SRRCTL_ADVANCED_2K 0x02000002u
#define RX_DONE 1u
/* DEXT, RS, IFCS, EOP, data */
#define TX_COMMAND (1u << 29 | 1u << 27 | 1u << 25 | 1u << 24 | 3u << 20)
#define TX_DONE 1u

static void put64(uint8_t *at, uint64_t value)
{
	memcpy(at, &value, sizeof(value));
}

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, (const void *)at, sizeof(value));
	return value;
}

/* Waits until a bit of V2PMAILBOX is set, of those that reading clears. */
static bool until(struct neighbour *n, uint32_t bit, uint64_t limit_us, uint32_t *seen)
{
	uint64_t begin = now_us();

	do {
		*seen |= vf_read(&n->vf, V2PMAILBOX);
		if (*seen & bit)
			return true;
		/* One access at a time is served: without a pause the PF's would wait. */
		pause_us(50);
	} while (now_us() - begin < limit_us);
	return false;
}

const char *neighbour_ask(struct neighbour *n, const uint32_t *words, int count, uint32_t *answer,
			  uint64_t limit_us)
{
	uint64_t begin = now_us(), time;
	uint32_t seen = 0;

	do {
		vf_write(&n->vf, V2PMAILBOX, V2P_VFU);
		if (now_us() - begin > limit_us)
			return "the PF does not give the neighbour its mailbox";
	} while (!(vf_read(&n->vf, V2PMAILBOX) & V2P_VFU));
	for (int i = 0; i < count; i++)
		vf_write(&n->vf, VMBMEM + 4 * i, words[i]);
	begin = now_us();
	vf_write(&n->vf, V2PMAILBOX, V2P_REQ);
	if (!until(n, V2P_PFSTS, limit_us, &seen))
		return "the neighbour has no answer";
	time = now_us() - begin;
	if (time > n->slowest_us)
		n->slowest_us = time;
	for (int i = 0; i < 3; i++)
		answer[i] = vf_read(&n->vf, VMBMEM + 4 * i);
	vf_write(&n->vf, V2PMAILBOX, V2P_ACK);
	return NULL;
}

static void start_queues(struct neighbour *n)
{
	struct vf *vf = &n->vf;

	memset(vf->memory, 0, vf->size);
	for (unsigned int i = 0; i < RING; i++)
		put64(vf->memory + RX_RING + DESCRIPTOR_BYTES * i,
		      DMA_BASE + RX_BUFFERS + BUFFER_BYTES * i);
	n->sent = n->received = 0;
	vf_write(vf, RDBAL, DMA_BASE + RX_RING);
	vf_write(vf, RDBAH, 0);
	vf_write(vf, RDLEN, RING * DESCRIPTOR_BYTES);
	vf_write(vf, SRRCTL, SRRCTL_ADVANCED_2K);
	vf_write(vf, RDH, 0);
	vf_write(vf, RDT, 0);
	vf_write(vf, RXDCTL, XDCTL_ENABLE);
	vf_write(vf, RDT, RING - 1);
	vf_write(vf, TDBAL, DMA_BASE + TX_RING);
	vf_write(vf, TDBAH, 0);
	vf_write(vf, TDLEN, RING * DESCRIPTOR_BYTES);
	vf_write(vf, TDH, 0);
	vf_write(vf, TDT, 0);
	vf_write(vf, TXDCTL, XDCTL_ENABLE);
}

/* What nobody but the neighbour may change, and only the PF when the VF changes hands. */
static void fill_rest(struct neighbour *n)
{
	const struct vf *vf = &n->vf;

	for (int vector = 0; vector < 3; vector++)
		vf_write(vf, VTEITR + 4 * vector, 0x100 << vector);
	/* Both its queues have the vectors 0 and 1, and its mailbox has 2. */
	vf_write(vf, VTIVAR, 0x81808180);
	vf_write(vf, VTIVAR_MISC, 0x82);
	/* The other queue is set up and not enabled. */
	for (uint32_t at = 0; at < 0x3c; at += 4) {
		if (at <= SRRCTL - RDBAL)
			vf_write(vf, RDBAL + QUEUE_STRIDE + at, at == RDBAH - RDBAL ? 1 : 0x4000080);
		if (at <= TDLEN - TDBAL)
			vf_write(vf, TDBAL + QUEUE_STRIDE + at, at == TDBAH - TDBAL ? 1 : 0x4000080);
	}
	vf_write(vf, TDWBAL + QUEUE_STRIDE, DMA_BASE + 1);
	vf_write(vf, TDWBAH + QUEUE_STRIDE, 1);
}

const char *neighbour_start(struct neighbour *n, uint64_t limit_us)
{
	uint32_t hello = MSG_VF_RESET, answer[3];
	uint64_t begin = now_us();
	const char *wrong;

	for (;;) {
		uint64_t left = begin + limit_us - now_us();

		if (now_us() - begin > limit_us)
			return "the PF does not come out of its reset";
		if (vf_read(&n->vf, V2PMAILBOX) & V2P_RSTI) {
			pause_us(100);
			continue;
		}
		wrong = neighbour_ask(n, &hello, 1, answer, left < 200000 ? left : 200000);
		if (!wrong && (answer[0] & ~MSG_CTS) == (MSG_VF_RESET | MSG_ACK))
			break;
	}
	if (memcmp(&answer[1], n->address, ADDRESS_BYTES))
		return "the neighbour does not get its address";
	fill_rest(n);
	start_queues(n);
	return NULL;
}

const char *neighbour_send(struct neighbour *n, const uint8_t *frame, size_t size)
{
	uint8_t *descriptor = n->vf.memory + TX_RING + DESCRIPTOR_BYTES * (n->sent % RING);
	uint64_t begin = now_us();

	memcpy(n->vf.memory + TX_BUFFER, frame, size);
	put64(descriptor, DMA_BASE + TX_BUFFER);
	put64(descriptor + 8, (uint64_t)size << 46 | (TX_COMMAND | size));
	__sync_synchronize();
	vf_write(&n->vf, TDT, ++n->sent % RING);
	while (!(get32(descriptor + 12) & TX_DONE)) {
		if (now_us() - begin > 1000000)
			return "the neighbour's frame is not sent";
		pause_us(50);
	}
	return NULL;
}

const uint8_t *neighbour_receive(struct neighbour *n, size_t *size)
{
	unsigned int at = n->received % RING;
	uint8_t *descriptor = n->vf.memory + RX_RING + DESCRIPTOR_BYTES * at;
	uint8_t *buffer = n->vf.memory + RX_BUFFERS + BUFFER_BYTES * at;
	static uint8_t copy[BUFFER_BYTES];

	__sync_synchronize();
	if (!(get32(descriptor + 8) & RX_DONE))
		return NULL;
	*size = get32(descriptor + 12) & 0xffff;
	if (*size > sizeof(copy))
		*size = sizeof(copy);
	memcpy(copy, buffer, *size);
	put64(descriptor, DMA_BASE + RX_BUFFERS + BUFFER_BYTES * at);
	put64(descriptor + 8, 0);
	__sync_synchronize();
	/* All but one are the controller's: this one is the last of them. */
	vf_write(&n->vf, RDT, at);
	n->received++;
	return copy;
}

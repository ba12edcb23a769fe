// SPDX-License-Identifier: GPL-2.0
/*
 * Loads of XDP and AF_XDP.
 *
 *   probe inject PHASE COUNT PROGRAM
 *	has COUNT frames run through the pinned PROGRAM, which are real ones: they leave by where it
 *	redirects them
 *   probe sockets drop|bounce DEVICE MAP READY
 *	a socket on queue 0, which MAP leads to, with buffers that the device writes itself. Makes the
 *	file READY, and gives buffers back, or sends frames back, until the file is gone; prints how
 *	many, those alone that were reported as sent if so
 *   probe sockets send DEVICE MAP PHASE COUNT
 *	the same sends COUNT frames; prints how many were reported as sent
 *
 * Sockets look for frames every now and then, as programs do that have a processor to themselves. (They
 * would turn in a circle, but here virtual time has all of it.) They wake the driver when it asks for
 * that.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probe.h"

#define SIZE 60
#define BATCH 32
#define MOST_AT_ONCE 256 /* which the pool of the run has room for */
#define WARM_UP (20 * BATCH)
#define CHUNK 4096
#define CHUNKS 4096
#define PAUSE_US 100
#define PATIENCE_NS 20000000000ull

static uint8_t frame[SIZE] = {
	/* to nobody, of a protocol for experiments */
	0x02, 0, 0, 0, 0, 0x99, 0x02, 0, 0, 0, 0, 0x98, 0x88, 0xb5,
};

static int bpf(int command, union bpf_attr *attr)
{
	int result = syscall(SYS_bpf, command, attr, sizeof(*attr));

	if (result < 0)
		err(1, "bpf %d", command);
	return result;
}

static int pinned(const char *path)
{
	union bpf_attr attr = { .pathname = (uintptr_t)path };

	return bpf(BPF_OBJ_GET, &attr);
}

static void run(int program, uint32_t count)
{
	union bpf_attr attr = { .test = {
					.prog_fd = program,
					.data_in = (uintptr_t)frame,
					.data_size_in = sizeof(frame),
					.repeat = count,
					.batch_size = MOST_AT_ONCE,
					.flags = BPF_F_TEST_XDP_LIVE_FRAMES,
				} };

	bpf(BPF_PROG_TEST_RUN, &attr);
}

int inject(char **argv)
{
	int program = pinned(argv[4]);

	run(program, WARM_UP);
	/* What is under way has been sent. */
	usleep(20000);
	MARK(MARK_BEGIN, 0ull, 0ull);
	run(program, number(argv[3]));
	usleep(20000);
	MARK(MARK_END, number(argv[2]), 0ull);
	puts(argv[3]);
	return 0;
}

struct ring {
	uint32_t *producer, *consumer, *flags;
	void *entries;
	uint32_t at;
};

static struct {
	int fd;
	uint8_t *memory;
	struct ring fill, completion, rx, tx;
	uint64_t free[CHUNKS];
	uint32_t nr_free;
} xsk;

static void map_ring(struct ring *ring, int option, uint64_t page, const struct xdp_ring_offset *at,
		     size_t entry)
{
	uint32_t entries = CHUNKS;
	uint8_t *area;

	if (setsockopt(xsk.fd, SOL_XDP, option, &entries, sizeof(entries)))
		err(1, "ring %d", option);
	area = mmap(NULL, at->desc + entries * entry, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_POPULATE, xsk.fd, page);
	if (area == MAP_FAILED)
		err(1, "ring %d", option);
	ring->producer = (void *)(area + at->producer);
	ring->consumer = (void *)(area + at->consumer);
	ring->flags = (void *)(area + at->flags);
	ring->entries = area + at->desc;
}

static uint64_t *addr_at(struct ring *ring)
{
	return (uint64_t *)ring->entries + ring->at % CHUNKS;
}

static struct xdp_desc *desc_at(struct ring *ring)
{
	return (struct xdp_desc *)ring->entries + ring->at % CHUNKS;
}

/* There is something to take. */
static bool has_more(const struct ring *ring)
{
	return ring->at != __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
}

static void taken(const struct ring *ring)
{
	__atomic_store_n(ring->consumer, ring->at, __ATOMIC_RELEASE);
}

static void put(const struct ring *ring)
{
	__atomic_store_n(ring->producer, ring->at, __ATOMIC_RELEASE);
	/* Before the driver is asked whether it has to be woken. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static bool wants_wakeup(const struct ring *ring)
{
	return __atomic_load_n(ring->flags, __ATOMIC_RELAXED) & XDP_RING_NEED_WAKEUP;
}

static void wake_rx(void)
{
	if (wants_wakeup(&xsk.fill))
		recvfrom(xsk.fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

static void wake_tx(void)
{
	if (wants_wakeup(&xsk.tx) && sendto(xsk.fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 &&
	    errno != EAGAIN && errno != EBUSY && errno != ENOBUFS)
		err(1, "sendto");
}

/* Free buffers to the device, but for so many. */
static void give(uint32_t kept)
{
	for (; xsk.nr_free > kept; xsk.fill.at++)
		*addr_at(&xsk.fill) = xsk.free[--xsk.nr_free];
	put(&xsk.fill);
}

static void open_socket(const char *device, const char *map)
{
	struct xdp_umem_reg memory = { .len = (uint64_t)CHUNK * CHUNKS, .chunk_size = CHUNK };
	struct sockaddr_xdp name = { .sxdp_family = AF_XDP,
				     .sxdp_flags = XDP_ZEROCOPY | XDP_USE_NEED_WAKEUP,
				     .sxdp_ifindex = if_nametoindex(device) };
	struct xdp_mmap_offsets offsets;
	socklen_t len = sizeof(offsets);
	union bpf_attr attr = {};
	uint32_t key = 0;

	xsk.fd = socket(AF_XDP, SOCK_RAW, 0);
	xsk.memory = mmap(NULL, memory.len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	memory.addr = (uintptr_t)xsk.memory;
	if (xsk.fd < 0 || xsk.memory == MAP_FAILED ||
	    setsockopt(xsk.fd, SOL_XDP, XDP_UMEM_REG, &memory, sizeof(memory)) ||
	    getsockopt(xsk.fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &len))
		err(1, "AF_XDP");
	map_ring(&xsk.fill, XDP_UMEM_FILL_RING, XDP_UMEM_PGOFF_FILL_RING, &offsets.fr, 8);
	map_ring(&xsk.completion, XDP_UMEM_COMPLETION_RING, XDP_UMEM_PGOFF_COMPLETION_RING,
		 &offsets.cr, 8);
	map_ring(&xsk.rx, XDP_RX_RING, XDP_PGOFF_RX_RING, &offsets.rx, sizeof(struct xdp_desc));
	map_ring(&xsk.tx, XDP_TX_RING, XDP_PGOFF_TX_RING, &offsets.tx, sizeof(struct xdp_desc));
	for (uint32_t i = 0; i < CHUNKS; i++)
		xsk.free[xsk.nr_free++] = (uint64_t)i * CHUNK;
	give(CHUNKS / 2);
	if (bind(xsk.fd, (void *)&name, sizeof(name)))
		err(1, "bind to %s", device);
	attr.map_fd = pinned(map);
	attr.key = (uintptr_t)&key;
	attr.value = (uintptr_t)&xsk.fd;
	bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

/* Takes what was reported as sent; how many. */
static uint64_t complete(void)
{
	uint64_t count = 0;

	for (; has_more(&xsk.completion); count++) {
		xsk.free[xsk.nr_free++] = *addr_at(&xsk.completion) & -(uint64_t)CHUNK;
		xsk.completion.at++;
	}
	taken(&xsk.completion);
	return count;
}

static void turn_round(const struct xdp_desc *desc)
{
	uint8_t *eth = xsk.memory + desc->addr, mac[ETH_ALEN];

	memcpy(mac, eth, ETH_ALEN);
	memcpy(eth, eth + ETH_ALEN, ETH_ALEN);
	memcpy(eth + ETH_ALEN, mac, ETH_ALEN);
}

/* Takes all frames there are; how many. */
static uint64_t receive(bool back)
{
	uint64_t count = 0;

	for (; has_more(&xsk.rx); count++) {
		struct xdp_desc desc = *desc_at(&xsk.rx);

		xsk.rx.at++;
		if (back) {
			turn_round(&desc);
			*desc_at(&xsk.tx) = desc;
			xsk.tx.at++;
		} else {
			xsk.free[xsk.nr_free++] = desc.addr & -(uint64_t)CHUNK;
		}
	}
	taken(&xsk.rx);
	if (back && count)
		put(&xsk.tx);
	return count;
}

static void pause_for(uint64_t end)
{
	if (now() > end)
		errx(1, "frames did not come, or were not sent");
	usleep(PAUSE_US);
}

static uint64_t serve(bool back, const char *ready)
{
	uint64_t end = now() + PATIENCE_NS, received = 0, sent = 0;

	while (!access(ready, F_OK)) {
		received += receive(back);
		if (back && sent < received)
			wake_tx();
		sent += complete();
		if (xsk.nr_free > CHUNKS / 2)
			give(CHUNKS / 2);
		wake_rx();
		pause_for(end);
	}
	return back ? sent : received;
}

static uint64_t transmit(uint64_t count)
{
	uint64_t end = now() + PATIENCE_NS, sent = 0;

	for (uint64_t begun = 0; sent < count;) {
		if (begun == sent && begun < count) {
			for (; begun < count && begun - sent < BATCH; begun++) {
				struct xdp_desc desc = { .addr = xsk.free[--xsk.nr_free], .len = SIZE };

				memcpy(xsk.memory + desc.addr, frame, SIZE);
				*desc_at(&xsk.tx) = desc;
				xsk.tx.at++;
			}
			put(&xsk.tx);
		}
		wake_tx();
		pause_for(end);
		sent += complete();
	}
	return sent;
}

int sockets(char **argv)
{
	const char *task = argv[2];
	uint64_t done;

	open_socket(argv[3], argv[4]);
	if (!strcmp(task, "send")) {
		transmit(WARM_UP);
		MARK(MARK_BEGIN, 0ull, 0ull);
		done = transmit(number(argv[6]));
		usleep(20000);
		MARK(MARK_END, number(argv[5]), 0ull);
	} else {
		close(open(argv[5], O_CREAT | O_WRONLY, 0600));
		done = serve(!strcmp(task, "bounce"), argv[5]);
	}
	printf("%llu\n", (unsigned long long)done);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The load generator in the guest, and its voice to the plugin (see ../plugin/marks.h). Socket
 * tests make their marks themselves, so that starting a program is no part of a phase.
 *
 *   probe mark begin|end PHASE | function KIND ADDRESS | text START END | bar ADDRESS SIZE | arm
 *   probe echo PORT                      answers datagrams
 *   probe rr PHASE COUNT SIZE ADDR PORT  requests; prints the mean time in nanoseconds
 *   probe sink PORT                      swallows streams
 *   probe send PHASE BYTES ADDR PORT     one stream; prints its time in nanoseconds
 *   probe addresses DEVICE COUNT BYTE    sets its address COUNT times, BYTE in each; prints the
 *                                        longest time one took in nanoseconds
 *   probe mailbox BAR COUNT BYTE FIFO    the same as a VF without driver, BAR the file of its
 *                                        registers, from when someone writes to FIFO: the longest
 *                                        time until the answer was there
 *   probe resets|handshakes BAR COUNT    a VF without driver resets itself, or says hello; with
 *                                        pauses in which the PF serves it
 *   probe inject PHASE COUNT PROGRAM     has frames run through a program (frames.c)
 *   probe sockets ...                    an AF_XDP socket (frames.c)
 */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "probe.h"

#define MAX_BLOCK 16384
#define WARM_UP 32

uint64_t number(const char *text)
{
	return strtoull(text, NULL, 0);
}

static int mark(int argc, char **argv)
{
	uint64_t first = argc > 3 ? number(argv[3]) : 0;
	uint64_t second = argc > 4 ? number(argv[4]) : 0;

	if (!strcmp(argv[2], "begin"))
		MARK(MARK_BEGIN, first, second);
	else if (!strcmp(argv[2], "end"))
		MARK(MARK_END, first, second);
	else if (!strcmp(argv[2], "function"))
		MARK(MARK_FUNCTION, first, second);
	else if (!strcmp(argv[2], "text"))
		MARK(MARK_TEXT, first, second);
	else if (!strcmp(argv[2], "bar"))
		MARK(MARK_BAR, first, second);
	else if (!strcmp(argv[2], "arm"))
		MARK(MARK_ARM, first, second);
	else
		errx(2, "unknown mark %s", argv[2]);
	return 0;
}

uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static int open_socket(int type, const char *addr, const char *port)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(number(port)) };
	int one = 1, fd = socket(AF_INET, type, 0);

	if (addr)
		inet_pton(AF_INET, addr, &name.sin_addr);
	else
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (addr ? connect(fd, (void *)&name, sizeof(name)) : bind(fd, (void *)&name, sizeof(name)))
		err(1, "port %s", port);
	return fd;
}

static _Noreturn void echo(char **argv)
{
	static char block[MAX_BLOCK];
	int fd = open_socket(SOCK_DGRAM, NULL, argv[2]);

	for (;;) {
		struct sockaddr_in from;
		socklen_t size = sizeof(from);
		ssize_t len = recvfrom(fd, block, sizeof(block), 0, (void *)&from, &size);

		if (len > 0)
			sendto(fd, block, len, 0, (void *)&from, size);
	}
}

static void request(int fd, char *block, size_t size)
{
	if (send(fd, block, size, 0) != (ssize_t)size || recv(fd, block, MAX_BLOCK, 0) != (ssize_t)size)
		err(1, "a request was not answered");
}

static int rr(char **argv)
{
	static char block[MAX_BLOCK];
	uint64_t count = number(argv[3]), size = number(argv[4]), start, end;
	struct timeval limit = { .tv_sec = 5 };
	int fd = open_socket(SOCK_DGRAM, argv[5], argv[6]);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	for (int i = 0; i < WARM_UP; i++)
		request(fd, block, size);
	MARK(MARK_BEGIN, 0ull, 0ull);
	start = now();
	for (uint64_t i = 0; i < count; i++)
		request(fd, block, size);
	end = now();
	MARK(MARK_END, number(argv[2]), 0ull);
	printf("%llu\n", (unsigned long long)((end - start) / count));
	return 0;
}

static _Noreturn void sink(char **argv)
{
	static char block[MAX_BLOCK];
	int fd = open_socket(SOCK_STREAM, NULL, argv[2]);

	listen(fd, 8);
	for (;;) {
		int stream = accept(fd, NULL, NULL);

		while (read(stream, block, sizeof(block)) > 0)
			;
		close(stream);
	}
}

static int send_stream(char **argv)
{
	static char block[MAX_BLOCK];
	uint64_t left = number(argv[3]), start, end;
	int fd = open_socket(SOCK_STREAM, argv[4], argv[5]);

	MARK(MARK_BEGIN, 0ull, 0ull);
	start = now();
	while (left) {
		ssize_t len = write(fd, block, left < MAX_BLOCK ? left : MAX_BLOCK);

		if (len <= 0)
			err(1, "write");
		left -= len;
	}
	shutdown(fd, SHUT_WR);
	if (read(fd, block, 1) != 0)
		err(1, "the stream did not end");
	end = now();
	MARK(MARK_END, number(argv[2]), 0ull);
	printf("%llu\n", (unsigned long long)(end - start));
	return 0;
}

static int addresses(char **argv)
{
	struct ifreq request = { .ifr_hwaddr.sa_family = ARPHRD_ETHER };
	uint8_t address[6] = { 0x02, 0, 0, 0, number(argv[4]), 0 };
	uint64_t count = number(argv[3]), worst = 0;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	strncpy(request.ifr_name, argv[2], IFNAMSIZ - 1);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t start = now(), time;

		address[5] = i;
		memcpy(request.ifr_hwaddr.sa_data, address, sizeof(address));
		if (ioctl(fd, SIOCSIFHWADDR, &request))
			err(1, "%s", argv[2]);
		time = now() - start;
		if (time > worst)
			worst = time;
	}
	printf("%llu\n", (unsigned long long)worst);
	return 0;
}

/* The mailbox as a VF sees it: the 82576 datasheet, 8.14.3 and 8.14.5. */
#define V2PMAILBOX 0x0c40
#define VMBMEM 0x0800
#define V2P_REQ 0x01
#define V2P_ACK 0x02
#define V2P_VFU 0x04
#define V2P_PFSTS 0x10
#define MSG_VF_RESET 0x01
#define MSG_SET_MAC_ADDR 0x02
#define MSG_ACK 0x80000000u
#define MSG_WORDS 3
#define ANSWER_LIMIT_NS 5000000000ull
#define LET_OTHERS_END 1

static volatile uint32_t *registers(const char *bar)
{
	int fd = open(bar, O_RDWR | O_SYNC);
	void *map = fd < 0 ? MAP_FAILED
			   : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		err(1, "%s", bar);
	return map;
}

/* VTCTRL, 8.26. */
#define VTCTRL 0x0000
#define VTCTRL_RST (1 << 26)
#define SERVED_US 2000

/*
 * Spins, as drivers of VFs do. With PAUSE the emulator gives the other CPUs their turn. It comes first:
 * the VF on the CPU that the interrupt is for finds its answer at once, and would ask again and again
 * while the others' CPUs stand still.
 */
static void until_answered(volatile uint32_t *reg)
{
	uint64_t limit = now() + ANSWER_LIMIT_NS;

	/* What says that there is an answer is cleared by the read. */
	do {
		if (now() > limit)
			errx(1, "the PF: nothing within 5 s");
		__builtin_ia32_pause();
	} while (!(reg[V2PMAILBOX / 4] & V2P_PFSTS));
}

static void own_buffer(volatile uint32_t *reg)
{
	for (;;) {
		reg[V2PMAILBOX / 4] = V2P_VFU;
		if (reg[V2PMAILBOX / 4] & V2P_VFU)
			return;
		__builtin_ia32_pause();
	}
}

/* Sends a message and takes the answer; returns its first word. */
static uint32_t transact(volatile uint32_t *reg, const uint32_t *words, uint64_t *time)
{
	uint64_t start;
	uint32_t answer;

	own_buffer(reg);
	for (int i = 0; i < MSG_WORDS; i++)
		reg[VMBMEM / 4 + i] = words[i];
	start = now();
	reg[V2PMAILBOX / 4] = V2P_REQ;
	until_answered(reg);
	*time = now() - start;
	own_buffer(reg);
	answer = reg[VMBMEM / 4];
	reg[V2PMAILBOX / 4] = V2P_ACK;
	return answer;
}

static int mailbox(char **argv)
{
	volatile uint32_t *reg = registers(argv[2]);
	uint64_t count = number(argv[3]), worst = 0, time;
	uint8_t address[8] = { 0x02, 0, 0, 0, number(argv[4]), 0 };
	uint32_t words[MSG_WORDS] = { MSG_VF_RESET };

	/* Refused or not (there is no address yet): from here on the PF listens. */
	transact(reg, words, &time);
	words[0] = MSG_SET_MAC_ADDR;
	/* Starting and ending a process takes longer than an answer: not while others wait for one. */
	close(open(argv[5], O_RDONLY));
	for (uint64_t i = 0; i < count; i++) {
		address[5] = i;
		memcpy(&words[1], address, sizeof(address));
		if (!(transact(reg, words, &time) & MSG_ACK))
			errx(1, "%s: address %llu was refused", argv[2], (unsigned long long)i);
		if (time > worst)
			worst = time;
	}
	sleep(LET_OTHERS_END);
	printf("%llu\n", (unsigned long long)worst);
	return 0;
}

static int tenants(char **argv, int resets)
{
	volatile uint32_t *reg = registers(argv[2]);
	uint64_t count = number(argv[3]), time;
	uint32_t words[MSG_WORDS] = { MSG_VF_RESET };

	for (uint64_t i = 0; i < count; i++) {
		if (resets)
			reg[VTCTRL / 4] = VTCTRL_RST;
		else if ((transact(reg, words, &time) & 0xff) != MSG_VF_RESET)
			errx(1, "%s: handshake %llu was not answered", argv[2], (unsigned long long)i);
		usleep(SERVED_US);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	if (!strcmp(what, "mark"))
		return mark(argc, argv);
	if (!strcmp(what, "echo"))
		echo(argv);
	if (!strcmp(what, "rr") && argc == 7)
		return rr(argv);
	if (!strcmp(what, "addresses") && argc == 5)
		return addresses(argv);
	if (!strcmp(what, "mailbox") && argc == 6)
		return mailbox(argv);
	if ((!strcmp(what, "resets") || !strcmp(what, "handshakes")) && argc == 4)
		return tenants(argv, !strcmp(what, "resets"));
	if (!strcmp(what, "sink"))
		sink(argv);
	if (!strcmp(what, "send") && argc == 6)
		return send_stream(argv);
	if (!strcmp(what, "inject") && argc == 5)
		return inject(argv);
	if (!strcmp(what, "sockets") && argc == (strcmp(argv[2], "send") ? 6 : 7))
		return sockets(argv);
	errx(2, "usage: see probe.c");
}

// SPDX-License-Identifier: GPL-2.0
/* The kernel's log: what an attacker may cause in it. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "judge.h"

/* A VF may cause five lines a minute, and one whenever it is cut off (mailbox.rst). */
#define LINES_A_MINUTE 5
#define MINUTE_US 60000000
/* Of the driver: what the administrator changes, and what a reset and the link have to say. */
#define LINES_OF_SETTING 4
#define LINES_OF_RESET 16
/* Of anybody else: the kernel tells of resets of functions. The IOMMU limits its own. */
#define OTHER_LINES_OF_RESET 16

/* What the administrator does to a VF is told, too. */
static bool is_of_administrator(const char *line)
{
	static const char *const texts[] = { "etting MAC ", "administratively set MAC", "Setting VLAN ",
					     "trusted", "max_tx_rate of a VF",
					     "to a setting of the administrator's" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strstr(line, texts[i]))
			return true;
	return false;
}

static void count_line(struct judge *j, const char *line)
{
	char vf[16];
	const char *text = strchr(line, ';');

	/* A record is "level,number,time,flags;text"; what it has beside follows, a line each. */
	if (!text)
		return;
	snprintf(vf, sizeof(vf), " VF %d", j->attacker->index);
	if (!strncmp(text + 1, "igb_rs ", strlen("igb_rs "))) {
		if (strstr(text, "misbehaves and was cut off"))
			j->cut_off++;
		else if (strstr(text, vf) && !is_of_administrator(text))
			j->lines++;
		else
			j->told++;
	} else if (!strstr(text, "DMAR")) {
		j->other_lines++;
	}
}

void log_open(struct judge *j)
{
	j->log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (j->log < 0 || lseek(j->log, 0, SEEK_END) < 0)
		err(1, "/dev/kmsg");
}

const char *judge_log(struct judge *j)
{
	uint64_t minutes = (now_us() - j->first) / MINUTE_US;
	/*
	 * No minute has more than that, so there are at most two minutes' at both ends. Before a replay
	 * the attacker was at rest: there is nothing that waits to be told.
	 */
	uint64_t own = LINES_A_MINUTE * (minutes + (j->replays ? 1 : 2));
	uint64_t told = LINES_OF_SETTING * (j->all_settings + 2) + LINES_OF_RESET * (j->all_resets + 1);
	uint64_t others = told + OTHER_LINES_OF_RESET * (j->all_flrs + 1);
	char line[1024];
	ssize_t length;

	/* EPIPE: records were overwritten before they were read; there are more. */
	while ((length = read(j->log, line, sizeof(line) - 1)) > 0 || errno == EPIPE) {
		if (length < 0)
			continue;
		line[length] = 0;
		if (strstr(line, "BUG: ") || strstr(line, "WARNING: ") || strstr(line, "UBSAN: "))
			return wrong(j, "log: %.400s", line);
		count_line(j, line);
	}
	if (j->lines > own)
		return wrong(j, "%lu lines in the log within %lu minutes", j->lines, minutes + 1);
	if (j->cut_off > j->lifted + 1)
		return wrong(j, "%lu lines in the log of %lu quarantines", j->cut_off, j->lifted + 1);
	if (j->told > told)
		return wrong(j, "%lu lines of the driver in the log, not %lu", j->told, told);
	if (j->other_lines > others)
		return wrong(j, "%lu other lines in the log, not %lu", j->other_lines, others);
	return NULL;
}

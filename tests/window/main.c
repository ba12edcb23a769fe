// SPDX-License-Identifier: GPL-2.0
/*
 *   window PLAN run SEED STEPS        so many steps of a seed, of those that count, from a reset of
 *                                     the PF on
 *   window PLAN print SEED TO         the steps of a seed up to number TO, one a line
 *   window PLAN replay <FILE          those steps, from a reset of the PF on, and a judgement
 *
 * PLAN is made by tests/qemu/support/window.py. What was done is printed as lines "NAME NUMBER".
 * The first thing that is wrong is a line "wrong NUMBER-OF-STEP TEXT", and ends the program with 1.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judge.h"

struct run {
	struct plan plan;
	struct host host;
	struct vf attacker;
	struct neighbour neighbour;
	struct judge judge;
	uint64_t number; /* of the step, whether or not it counts */
	uint64_t done, counts[STEP_KINDS], times[STEP_KINDS], of_setting[SETTINGS], refused;
};

/* Whether one came; the longer it takes, the more seldom it is looked for. */
static bool wait_answer(struct run *run, uint32_t limit_us)
{
	uint64_t begin = now_us();

	for (uint64_t us = 20; !(vf_read(&run->attacker, V2PMAILBOX) & V2P_PFSTS); us *= 2) {
		if (now_us() - begin >= limit_us)
			return false;
		pause_us(us);
	}
	return true;
}

/* NULL, or what is wrong. */
static const char *await_answer(struct run *run, uint32_t limit_us)
{
	return wait_answer(run, limit_us) ? judge_answer(&run->judge) : NULL;
}

/* Returns whether there is nothing. */
static bool told(struct run *run, const char *wrong)
{
	if (wrong)
		printf("wrong %llu %s\n", (unsigned long long)run->number, wrong);
	return !wrong;
}

/* Returns whether all is as it has to be. */
static bool judge(struct run *run)
{
	host_undo_others(&run->host);
	return told(run, judge_all(&run->judge));
}

static bool take(struct run *run, const struct step *step)
{
	struct vf *vf = &run->attacker;

	switch (step->kind) {
	case STEP_WRITE:
		run->judge.causes += judge_is_cause(step);
		vf_write(vf, step->a, step->b);
		break;
	case STEP_READ:
		vf_read(vf, step->a);
		break;
	case STEP_ANSWER:
		return told(run, await_answer(run, step->a));
	case STEP_PAUSE:
		pause_us(step->a);
		break;
	case STEP_MEMORY:
		memcpy(vf->memory + step->a % (vf->size - 4), &step->b, 4);
		break;
	case STEP_FLR:
		run->judge.causes++;
		run->judge.all_flrs++;
		vf_reset(vf);
		break;
	case STEP_SETTING:
		run->judge.settings++;
		run->judge.lifted += step->a == SET_STATE;
		run->of_setting[step->a % SETTINGS]++;
		run->refused += host_set(&run->host, step->a, step->b) != 0;
		break;
	case STEP_PF_RESET:
		run->judge.resets++;
		host_reset(&run->host, step->a);
		break;
	case STEP_JUDGE:
		return judge(run);
	}
	return true;
}

static bool next(struct run *run, const struct step *step)
{
	uint64_t begin = now_us();
	bool right;

	run->number++;
	run->done += step_counts(step);
	run->counts[step->kind]++;
	right = take(run, step);
	run->times[step->kind] += now_us() - begin;
	return right;
}

static void begin(struct run *run)
{
	host_open(&run->host, run->plan.pf, run->plan.interface, run->plan.attacker);
	host_reset(&run->host, RESET_BY_FLR);
	vf_open(&run->attacker, run->plan.attacker, run->plan.vf[0], run->plan.memory);
	vf_open(&run->neighbour.vf, run->plan.neighbour, run->plan.vf[1], run->plan.memory);
	memcpy(run->neighbour.address, run->plan.address, ADDRESS_BYTES);
	judge_begin(&run->judge, &run->plan, &run->host, &run->attacker, &run->neighbour);
}

static void seed(struct run *run, struct generator *generator, const char *seed)
{
	memset(generator, 0, sizeof(*generator));
	generator_begin(generator, strtoull(seed, NULL, 0), run->plan.memory, run->plan.batch);
	memcpy(generator->pf, run->plan.pf_address, ADDRESS_BYTES);
	memcpy(generator->neighbour, run->plan.address, ADDRESS_BYTES);
}

static int random_steps(struct run *run, char **argv)
{
	uint64_t steps = strtoull(argv[4], NULL, 0);
	struct generator generator;

	begin(run);
	seed(run, &generator, argv[3]);
	while (run->done < steps) {
		struct step step = generator_next(&generator);

		if (!next(run, &step))
			return 1;
	}
	return !judge(run);
}

static int print(struct run *run, char **argv)
{
	struct generator generator;
	char line[64];

	seed(run, &generator, argv[3]);
	for (uint64_t left = strtoull(argv[4], NULL, 0); left; left--) {
		struct step step = generator_next(&generator);

		step_print(line, sizeof(line), &step);
		fputs(line, stdout);
	}
	return 0;
}

static int replay(struct run *run)
{
	struct step step;
	char line[64];

	begin(run);
	run->judge.replays = true;
	while (fgets(line, sizeof(line), stdin)) {
		if (!step_parse(line, &step))
			errx(2, "no step: %s", line);
		if (!next(run, &step))
			return 1;
	}
	return !judge(run);
}

static void report(const struct run *run, uint64_t us)
{
	static const char *const settings[SETTINGS] = {
		"mac", "vlan", "spoofchk", "trust", "state", "rate", "promisc", "allmulti", "mtu", "down",
	};
	static const char *const names[STEP_KINDS] = { "writes",  "reads", "answers",  "pauses", "memory",
						       "flrs",    "settings", "resets", "judged" };

	printf("steps %llu\nus %llu\nrefused %llu\n", (unsigned long long)run->done,
	       (unsigned long long)us, (unsigned long long)run->refused);
	for (int kind = 0; kind < STEP_KINDS; kind++)
		printf("%s %llu\n%s_us %llu\n", names[kind], (unsigned long long)run->counts[kind],
		       names[kind], (unsigned long long)run->times[kind]);
	for (int setting = 0; setting < SETTINGS; setting++)
		printf("set_%s %llu\n", settings[setting], (unsigned long long)run->of_setting[setting]);
	judge_print(&run->judge);
}

int main(int argc, char **argv)
{
	static struct run run;
	uint64_t start = now_us();
	int status;

	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	if (argc < 3)
		errx(2, "usage: see main.c");
	plan_read(&run.plan, argv[1]);
	if (!strcmp(argv[2], "print") && argc == 5)
		return print(&run, argv);
	if (!strcmp(argv[2], "run") && argc == 5)
		status = random_steps(&run, argv);
	else if (!strcmp(argv[2], "replay"))
		status = replay(&run);
	else
		errx(2, "usage: see main.c");
	report(&run, now_us() - start);
	return status;
}

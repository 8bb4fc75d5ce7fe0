#include "shard/maker.h"
#include "base/agree.h"
#include "base/cpu.h"
#include "kernels/dispatch.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct maker {
    char kernels[DISPATCH_NAME], cpu[CPU_NAME], node[64];
};

static struct maker maker;          /* rank 0's, once it is settled */
static struct run *settled;         /* which warns; NULL before */
static bool bf16, warned;

/* That of this process, unless it is known. */
static const struct maker *find(void)
{
    if (maker.kernels[0] == '\0') {
        dispatch_name(maker.kernels);
        cpu_name(maker.cpu);
        gethostname(maker.node, sizeof maker.node - 1);
    }
    return &maker;
}

const char *maker_kernels(void)
{
    return find()->kernels;
}

const char *maker_cpu(void)
{
    return find()->cpu;
}

/* Do the two give the same bits in this suite's arithmetic? */
static bool alike(const char *a, const char *b)
{
    char a_f32[DISPATCH_NAME], b_f32[DISPATCH_NAME];

    dispatch_name_f32(a_f32, a);
    dispatch_name_f32(b_f32, b);
    return bf16 ? strcmp(a, b) == 0 : strcmp(a_f32, b_f32) == 0;
}

/* Take over rank 0's, and refuse if this rank's was another one.  Collective; not yet agreed. */
static enum status take_first(const struct run *run)
{
    const struct maker here = *find();

    MPI_Bcast(&maker, sizeof maker, MPI_BYTE, 0, run->comm);
    if (alike(here.kernels, maker.kernels))
        return OK;
    return refuse(E_USAGE, "rank %d on %s computes with %s, but rank 0 on %s with %s, so the bits "
                  "of the result would depend on the ranks; take nodes of one kind of CPU (such as "
                  "--constraint=... in resources.options), or set resources.unlike_cpus to allow",
                  run->rank, here.node, here.kernels, maker.node, maker.kernels);
}

/* The ranks differ, and may. */
static void settle_for_mixture(struct run *run)
{
    const struct maker first = maker;

    run_warn(run, "%s", refuse_reason());
    refuse_clear();
    snprintf(maker.kernels, sizeof maker.kernels, "mixed, rank 0: %.100s", first.kernels);
}

enum status maker_settle(struct run *run, const struct suite *suite)
{
    enum status st;

    bf16 = suite->model.precision == PRECISION_BF16 || suite->train.precision == PRECISION_BF16;
    st = agree(run->comm, take_first(run));
    if (st != OK && suite->resources.unlike_cpus == UNLIKE_CPUS_ALLOW) {
        settle_for_mixture(run);
        st = OK;
    }
    settled = run;
    return st;
}

void maker_compare(const char *kernels, const char *path)
{
    if (settled == NULL || warned || alike(kernels, maker.kernels))
        return;
    warned = true;
    run_warn(settled, "%s was made by a program that computed with %s, but this one computes with "
             "%s; the result is as good, but only nodes of one kind of CPU give the same bits "
             "again", path, kernels, maker.kernels);
}

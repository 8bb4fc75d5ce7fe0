#include "driver/environment.h"
#include "base/die.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* NULL-terminated; each is the beginning of a name. */
static const char *const AROUND_US[] = {
    "SLURM_", "PBS_", "LSB_", "PE_HOSTFILE", "PMIX_", "PMI_", "OMPI_COMM_WORLD_", NULL,
};
static const char *const LIMITS_HERE[] = {
    "SLURM_MEM_PER_NODE=", "SLURM_MEM_PER_CPU=", "SLURM_CPUS_ON_NODE=", NULL,
};
static const char *const OF_SLURM[] = { "SLURM_", NULL };
static const char *const CONFIGURATION[] = { "SLURM_CONF=", NULL };

static bool begins(const char *variable, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strncmp(variable, *names, strlen(*names)) == 0)
            return true;
    return false;
}

/* Unset all variables that begin with one of `names`, but not with one of `kept`. */
static void forget(const char *const *names, const char *const *kept)
{
    for (char **variable = environ; variable != NULL && *variable != NULL; ) {
        const size_t length = strcspn(*variable, "=");
        if (!begins(*variable, names) || begins(*variable, kept) || length == 0) {
            variable++;
            continue;
        }
        char *name = strndup(*variable, length);
        if (name == NULL || unsetenv(name) != 0)
            die("no memory for the name of a variable");
        free(name);
        variable = environ;     /* unsetenv() has moved what follows */
    }
}

void environment_of_one_machine(void)
{
    forget(AROUND_US, LIMITS_HERE);
}

void environment_of_submission(void)
{
    forget(OF_SLURM, CONFIGURATION);
}

void environment_print_submission(FILE *out)
{
    fputs("unset $(env | sed -n 's/^\\(SLURM_[A-Za-z0-9_]*\\)=.*/\\1/p' | grep -vx SLURM_CONF)\n",
          out);
}

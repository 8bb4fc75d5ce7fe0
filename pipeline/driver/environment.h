/* environment.h -- what a batch system sets for one job must not reach another.
 *
 * Everything here changes the environment of this process, and so of its children.  Local.
 */
#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

#include <stdio.h>

/* For ranks on this machine alone: forget the batch job and the MPI job around us, whose hosts
 * mpirun would use, but not what the job may use of this node (base/memory.h). */
void environment_of_one_machine(void);

/* For jobs to be submitted: forget the Slurm job around us.  sbatch passes SLURM_MEM_PER_CPU and
 * its like on, and srun then finds them in conflict with the new job's own. */
void environment_of_submission(void);

/* The same as a line of shell. */
void environment_print_submission(FILE *out);

#endif

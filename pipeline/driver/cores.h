/* cores.h -- how many processor cores this process may keep busy. */
#ifndef CORES_H
#define CORES_H

/* The least of the cores it may run on (taskset, Slurm) and the cgroup's quota of processor
 * time; at least 1.  Local. */
int cores_available(void);

#endif

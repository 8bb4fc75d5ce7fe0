/* cgroup.h -- the control groups of this process, versions 1 and 2.
 *
 * The limits of its own group and of all groups above it apply.
 */
#ifndef CGROUP_H
#define CGROUP_H

/* Call visit(folder, data) for the folder of each group that governs `controller`
 * ("memory", "cpu"), from the process's own group up to the root of the mount.  A folder
 * may be missing: in a container the path may be that of the host.  Local. */
void cgroup_visit(const char *controller, void (*visit)(const char *folder, void *data),
                  void *data);

#endif

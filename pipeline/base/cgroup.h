/* cgroup.h -- the control groups this process is in, versions 1 and 2.
 *
 * A limit holds if it is set at the process's own group or at any group above it.
 */
#ifndef CGROUP_H
#define CGROUP_H

/* Call visit(folder, data) for the folder of each group that governs `controller`
 * ("memory", "cpu"), from the process's own group up to the root of the mount.  Folders
 * need not exist: in a container the path may be that of the host.  Local. */
void cgroup_visit(const char *controller, void (*visit)(const char *folder, void *data),
                  void *data);

#endif

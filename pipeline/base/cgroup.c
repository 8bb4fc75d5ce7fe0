#include "base/cgroup.h"
#include "base/file.h"

#include <stdio.h>
#include <string.h>

/* Visit `group` and every group above it; the mount itself comes last. */
static void visit_upwards(const char *mount, const char *group,
                          void (*visit)(const char *folder, void *data), void *data)
{
    char folder[PATH_LENGTH];
    const size_t root = strlen(mount);

    path_print(folder, "%s%s", mount, strcmp(group, "/") == 0 ? "" : group);
    for (;;) {
        visit(folder, data);
        char *slash = strrchr(folder + root, '/');
        if (slash == NULL)
            return;
        *slash = '\0';
    }
}

/* Is `name` one of the comma-separated names, as in "cpu,cpuacct"? */
static bool is_among(const char *names, const char *name)
{
    const size_t length = strlen(name);

    for (; *names != '\0'; names += strcspn(names, ","), names += *names == ',')
        if (strncmp(names, name, length) == 0 && strchr(",", names[length]) != NULL)
            return true;
    return false;
}

void cgroup_visit(const char *controller, void (*visit)(const char *folder, void *data),
                  void *data)
{
    FILE *file = fopen("/proc/self/cgroup", "r");
    char line[PATH_LENGTH], mount[PATH_LENGTH];

    if (file == NULL)
        return;
    /* A line is ID:CONTROLLERS:PATH; in version 2 CONTROLLERS is empty. */
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *names = strchr(line, ':');
        char *group = names != NULL ? strchr(names + 1, ':') : NULL;
        if (group == NULL)
            continue;
        *group++ = '\0';
        names++;
        path_print(mount, "/sys/fs/cgroup%s%s", names[0] != '\0' ? "/" : "",
                   names[0] != '\0' ? controller : "");
        if (names[0] == '\0' || is_among(names, controller))
            visit_upwards(mount, group, visit, data);
    }
    fclose(file);
}

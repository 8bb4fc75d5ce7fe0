#include "base/cpu.h"
#include "base/die.h"

#include <errno.h>
#include <stdio.h>

void cpu_name(char name[CPU_NAME])
{
    FILE *info = fopen("/proc/cpuinfo", "r");
    char line[256];

    if (info == NULL && errno == ENOMEM)
        die("no memory to read /proc/cpuinfo");
    snprintf(name, CPU_NAME, "unknown");
    while (info != NULL && fgets(line, sizeof line, info) != NULL)
        if (sscanf(line, "model name : %127[^\n]", name) == 1)
            break;
    if (info != NULL)
        fclose(info);
}

#include "base/cpu.h"

#include <stdio.h>

void cpu_name(char name[CPU_NAME])
{
    FILE *info = fopen("/proc/cpuinfo", "r");
    char line[256];

    snprintf(name, CPU_NAME, "unknown");
    while (info != NULL && fgets(line, sizeof line, info) != NULL)
        if (sscanf(line, "model name : %127[^\n]", name) == 1)
            break;
    if (info != NULL)
        fclose(info);
}

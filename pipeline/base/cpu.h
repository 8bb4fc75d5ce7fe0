/* cpu.h -- the kind of CPU that this process runs on. */
#ifndef CPU_H
#define CPU_H

enum { CPU_NAME = 128 };

/* Write the model's name as the kernel of the system has it, or "unknown".  Local. */
void cpu_name(char name[CPU_NAME]);

#endif

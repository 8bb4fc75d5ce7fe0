/* output.h -- what a program prints is a result, too. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include "base/refuse.h"

/* Write what is left of standard output, and refuse if any of it could not be written: a full
 * disk, a closed descriptor.  Local.  E_SPACE, E_IO. */
enum status output_finish(void);

#endif

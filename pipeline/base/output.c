#include "base/output.h"
#include "base/file.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* An earlier write that failed has left its mark on the stream, but not its error number: another
 * one asks for that. */
enum status output_finish(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return OK;
    if (errno == 0 && write(STDOUT_FILENO, "\n", 1) == 1)
        return refuse(E_IO, "some of the output could not be written");
    return file_refuse("write to", "standard output");
}

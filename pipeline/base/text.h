/* text.h -- texts in memory that are written like files, and lines of files.
 *
 * Where memory lacks, the C library's open_memstream() leaves out what was to be written, without a
 * word from ferror() and fclose(); and its getline() returns -1 as at the end of the file.  These
 * die.  Everything here is Local.
 */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>
#include <stdio.h>

/* A stream that writes to memory: after fflush() and after text_close() *text, which ends with a
 * NUL, and *length are what was written.  Caller frees *text. */
FILE *text_open(char **text, size_t *length);
void  text_close(FILE *out);

/* The next line of a file, with its newline, in *line of *capacity bytes, which grows; caller frees
 * it.  Returns its bytes, or -1 at the end and, with ferror(), after a failure. */
long text_line(char **line, size_t *capacity, FILE *in);

#endif

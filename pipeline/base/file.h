/* file.h -- files and folders that are either complete or not there.
 *
 * A stage writes NAME.part and publishes it when it is complete and on disk: the rename
 * is atomic, so whoever sees NAME sees all of it.  What a killed run left behind under
 * NAME.part is removed by the next one.  Everything here is Local.
 */
#ifndef FILE_H
#define FILE_H

#include "base/path.h"
#include "base/refuse.h"

#include <stdint.h>

/* What the system has against the call that just failed (errno): "cannot WHAT PATH: its
 * words".  E_SPACE for a full disk or quota, else E_IO. */
enum status file_refuse(const char *what, const char *path);

/* Is there something of this name? */
bool file_exists(const char *path);

/* Bytes of a file.  E_IO. */
enum status file_size(const char *path, int64_t *bytes);

/* Read the whole of a file and put a NUL behind it, which `size` does not count.
 * Caller frees.  E_IO. */
enum status file_read(const char *path, char **bytes, int64_t *size);

/* Write a whole file, by way of PATH.part.  E_IO, E_SPACE. */
enum status file_write(const char *path, const void *bytes, int64_t size);

/* Sync PATH.part to disk, rename it PATH, sync the folder.  If PATH.part is a folder, the
 * files in it are synced first; a folder that already has the name PATH is replaced.
 * E_IO, E_SPACE. */
enum status file_publish(const char *path);

/* Remove a file, or a folder with all that is in it.  Nothing there is no error.  E_IO. */
enum status file_remove(const char *path);

/* Bytes of all files in a folder and below; 0 if it is not there.  E_IO. */
enum status file_folder_size(const char *path, int64_t *bytes);

/* Make a folder and those above it.  Already there is no error.  E_IO. */
enum status file_make_folder(const char *path);

/* Make the folders above `path`.  E_IO. */
enum status file_make_folder_above(const char *path);

/* Refuse with a figure if the disk that holds `path` (which need not exist yet) has fewer
 * than `bytes` free.  E_SPACE, E_IO. */
enum status file_check_disk(const char *path, int64_t bytes, const char *purpose);

/* Set disk space aside for a file that is there and will grow to at most `bytes`, so that a
 * full disk is met here and not half way through a write.  Its size stays as it is.  On a
 * disk that cannot do this nothing happens.  E_SPACE, E_IO. */
enum status file_reserve(const char *path, int64_t bytes);

/* Let the system begin to bring what was written to a file to its disk, and forget what is there
 * already; does not wait.  To be called after every write of a file that nobody reads soon: then
 * file_publish() has less to wait for, and the next writes find memory that was in use just now.
 * What fails here will fail there, too. */
void file_let_go(const char *path);

/* Give back the space that was set aside and not used.  E_IO. */
enum status file_trim(const char *path);

#endif

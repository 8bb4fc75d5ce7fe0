/* file.h -- files and folders that are either complete or not there.
 *
 * A stage writes NAME.part, and renames it NAME when it is complete and on disk.  The rename is
 * atomic, so whoever sees NAME sees all of it.  If a run is killed, the next one removes its
 * NAME.part or continues it.  Everything here is Local.
 */
#ifndef FILE_H
#define FILE_H

#include "base/path.h"
#include "base/refuse.h"

#include <stdint.h>

/* Refuse with the system's message for the call that just failed (errno): "cannot WHAT PATH:
 * MESSAGE".  E_SPACE for a full disk or quota, otherwise E_IO. */
enum status file_refuse(const char *what, const char *path);

/* Is there a file or a folder of this name? */
bool file_exists(const char *path);

/* Bytes of a file.  E_IO. */
enum status file_size(const char *path, int64_t *bytes);

/* Read a whole file and append a NUL, which `size` does not count.  Caller frees.  E_IO. */
enum status file_read(const char *path, char **bytes, int64_t *size);

/* Write a whole file to PATH.part and publish it; a PATH.part that failed is removed.
 * E_IO, E_SPACE. */
enum status file_write(const char *path, const void *bytes, int64_t size);

/* Publish PATH.part: sync it to disk, rename it PATH, and sync the folder that holds it.  If it
 * is a folder, the files in it are synced too, and an older folder PATH is replaced.
 * E_IO, E_SPACE. */
enum status file_publish(const char *path);

/* Remove a file, or a folder with everything in it.  OK if it does not exist.  E_IO. */
enum status file_remove(const char *path);

/* Bytes of all files in a folder and its subfolders; 0 if it does not exist.  E_IO. */
enum status file_folder_size(const char *path, int64_t *bytes);

/* Make a folder and those above it.  OK if they exist.  E_IO. */
enum status file_make_folder(const char *path);

/* Make the folders above `path`.  E_IO. */
enum status file_make_folder_above(const char *path);

/* Refuse if the disk that holds `path`, which need not exist yet, has fewer than `bytes` free; the
 * message has both figures.  E_SPACE, E_IO. */
enum status file_check_disk(const char *path, int64_t bytes, const char *purpose);

/* Reserve disk space for an existing file that will grow to at most `bytes`, so that a full disk
 * is found here and not in the middle of a write.  The file keeps its size.  Does nothing on a
 * file system that cannot reserve.  E_SPACE, E_IO. */
enum status file_reserve(const char *path, int64_t bytes);

/* Start to write a file's cached pages to disk, and drop those that are on disk; does not wait.
 * Call it after each write to a file that nobody reads soon: file_publish() then waits less, and
 * the next write reuses pages that were just in use.  Returns no error: file_publish() meets it
 * again. */
void file_let_go(const char *path);

/* Free the space that file_reserve() reserved and nobody used.  E_IO. */
enum status file_trim(const char *path);

#endif

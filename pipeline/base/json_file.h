/* json_file.h -- files of JSON, whole.  Local. */
#ifndef JSON_FILE_H
#define JSON_FILE_H

#include "base/refuse.h"

#include <jansson.h>

/* Read a file; caller owns the value.  E_IO: as file_read(); E_FORMAT: it is not JSON, or names a
 * member twice. */
enum status json_file_read(json_t **value, const char *path);

/* The same of a file with a checksum of itself (base/checksum.h), as the stages write them.
 * E_FORMAT: the checksum is another one, too. */
enum status json_file_read_checked(json_t **value, const char *path);

#endif

/* yaml_limits.h -- what no suite file needs, refused before the file is understood.
 *
 * C texts end at the first NUL, and libyaml takes time that grows with the square of the depth; so
 * the bytes, the depth and the texts are looked at first, in time that grows with the length.
 * Everything here is Local.
 */
#ifndef YAML_LIMITS_H
#define YAML_LIMITS_H

#include "base/refuse.h"

#include <stdint.h>

/* Refuse a file of `bytes` bytes with a NUL among them; a file system that lost a part of a file
 * fills it with NULs.  E_USAGE, with the offset. */
enum status yaml_limits_check_bytes(const char *yaml, int64_t bytes, const char *path);

/* Refuse deep nesting, and texts with an escaped NUL.  What is not YAML is left to the parser.
 * E_USAGE, with the line. */
enum status yaml_limits_check(const char *yaml, const char *path);

#endif

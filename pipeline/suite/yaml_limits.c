#include "suite/yaml_limits.h"
#include "base/die.h"

#include <stdbool.h>
#include <string.h>
#include <yaml.h>

enum { DEEPEST = 16 };      /* a suite needs four: the file, saes, a group, a list */

enum status yaml_limits_check_bytes(const char *yaml, int64_t bytes, const char *path)
{
    const int64_t until = (int64_t)strlen(yaml);

    if (until == bytes)
        return OK;
    return refuse(E_USAGE, "%s: byte %lld is a NUL, which no text has: a part of the file is lost, "
                  "or it is no suite file; write it again", path, (long long)until);
}

/* How much deeper does an event lead? */
static int deeper(yaml_event_type_t type)
{
    switch (type) {
    case YAML_MAPPING_START_EVENT:
    case YAML_SEQUENCE_START_EVENT:
        return 1;
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        return -1;
    default:
        return 0;
    }
}

static enum status check_event(const yaml_event_t *event, int depth, const char *path)
{
    const int line = (int)event->start_mark.line + 1;
    enum status st;

    REQUIRE(depth <= DEEPEST, E_USAGE, "%s:%d: this is nested more than %d deep; is it a suite "
            "file?", path, line, DEEPEST);
    REQUIRE(event->type != YAML_SCALAR_EVENT
            || strlen((const char *)event->data.scalar.value) == event->data.scalar.length,
            E_USAGE, "%s:%d: this text has a NUL in it (\\0); remove it", path, line);
done:
    return st;
}

enum status yaml_limits_check(const char *yaml, const char *path)
{
    yaml_parser_t parser;
    yaml_event_t event;
    int depth = 0;
    enum status st = OK;

    if (!yaml_parser_initialize(&parser))
        die("no memory to read %s", path);
    yaml_parser_set_input_string(&parser, (const unsigned char *)yaml, strlen(yaml));
    for (bool more = true; more && st == OK; ) {
        if (!yaml_parser_parse(&parser, &event)) {
            if (parser.error == YAML_MEMORY_ERROR)
                die("no memory to read %s", path);
            break;      /* who reads the suite will say what is wrong */
        }
        depth += deeper(event.type);
        st = check_event(&event, depth, path);
        more = event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return st;
}

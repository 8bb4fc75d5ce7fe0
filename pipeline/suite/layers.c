#include "suite/layers.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 1000000 };    /* more layers than any model has */

/* Read the number at *text, and move *text to its end; -1 if there is none. */
static int64_t number(const char **text)
{
    char *end;

    if (!isdigit((unsigned char)**text))
        return -1;
    const long long n = strtoll(*text, &end, 10);
    *text = end;
    return n < MANY ? n : -1;
}

bool layers_parse(struct range *layers, const char *text)
{
    if (strcmp(text, "all") == 0) {
        *layers = (struct range){ 0, INT64_MAX };
        return true;
    }
    const int64_t first = number(&text);
    const int64_t last = *text == '-' ? (text++, number(&text)) : first;
    *layers = (struct range){ first, last + 1 };
    return *text == '\0' && 0 <= first && first <= last;
}

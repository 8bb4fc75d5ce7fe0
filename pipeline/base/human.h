/* human.h -- amounts as text for people.
 *
 * A function's text is valid until its eighth call after that.  Local.
 */
#ifndef HUMAN_H
#define HUMAN_H

/* "1.5 GB": bytes in decimal units. */
const char *human_bytes(double bytes);

/* "12 s", "4 min 10 s", "3 h 05 min", "2.5 days", "12 years". */
const char *human_duration(double seconds);

#endif

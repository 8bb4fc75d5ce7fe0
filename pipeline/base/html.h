/* html.h -- pages for people: one file each, without scripts, that needs no other file and no
 * network.
 *
 * The style (style.css) is for screens, dark and light, and for paper.  Its colours serve drawings,
 * too: var(--ink), var(--paper), var(--grid), var(--axis); var(--c1) ... var(--c12) for series;
 * var(--plus) and var(--minus) for what is above and below 0.  Everything here is Local.
 */
#ifndef HTML_H
#define HTML_H

#include <stdio.h>

/* Write what comes before a page's contents, with the title "NAME: ABOUT"; and what comes after. */
void html_begin(FILE *out, const char *name, const char *about);
void html_end(FILE *out);

/* Write a text, in an element or between double quotes; nothing for NULL. */
void html_text(FILE *out, const char *text);

/* Write "65,280", "2.00 million", "4.00 billion". */
void html_count(FILE *out, double count);

/* Write a number with its name, for a list <dl class="cards">; `format` NULL: as html_count().
 * `name` and `unit` may have elements in them. */
void html_card(FILE *out, const char *name, double count, const char *format, const char *unit);

/* Write a table: begin, its headings, then rows "<tr>...</tr>" of cells, end.  Texts stand to the
 * left, numbers to the right; 0 is written as such, and a dash for what is not finite. */
void html_table_begin(FILE *out);
void html_heading(FILE *out, const char *title);
void html_heading_text(FILE *out, const char *title);
void html_table_rows(FILE *out);
void html_cell(FILE *out, double number, const char *format);
void html_cell_text(FILE *out, const char *text);
void html_table_end(FILE *out);

#endif

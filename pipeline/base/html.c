#include "base/html.h"

#include <math.h>
#include <stdlib.h>

/* style.css, which the linker puts into the program. */
extern const char _binary_pipeline_base_style_css_start[];
extern const char _binary_pipeline_base_style_css_end[];

void html_begin(FILE *out, const char *name, const char *about)
{
    const char *style = _binary_pipeline_base_style_css_start;

    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>", out);
    html_text(out, name);
    fputs(": ", out);
    html_text(out, about);
    fputs("</title>\n<style>\n", out);
    fwrite(style, 1, (size_t)(_binary_pipeline_base_style_css_end - style), out);
    fputs("</style>\n</head>\n<body>\n", out);
}

void html_end(FILE *out)
{
    fputs("</body>\n</html>\n", out);
}

void html_text(FILE *out, const char *text)
{
    for (; text != NULL && *text != '\0'; text++)
        switch (*text) {
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '&': fputs("&amp;", out); break;
        case '"': fputs("&quot;", out); break;
        default: fputc(*text, out);
        }
}

void html_count(FILE *out, double count)
{
    if (count >= 1e9)
        fprintf(out, "%.2f billion", count / 1e9);
    else if (count >= 1e6)
        fprintf(out, "%.2f million", count / 1e6);
    else if (count >= 1e3)
        fprintf(out, "%.0f,%03.0f", floor(count / 1e3), fmod(count, 1e3));
    else
        fprintf(out, "%.0f", count);
}

void html_card(FILE *out, const char *name, double count, const char *format, const char *unit)
{
    fprintf(out, "<div><dt>%s</dt><dd>", name);
    if (format == NULL)
        html_count(out, count);
    else
        fprintf(out, format, count);
    fprintf(out, " <small>%s</small></dd></div>\n", unit);
}

void html_table_begin(FILE *out)
{
    fputs("<div class=\"wide\"><table class=\"narrow\">\n<thead><tr>", out);
}

void html_heading(FILE *out, const char *title)
{
    fputs("<th>", out);
    html_text(out, title);
    fputs("</th>", out);
}

void html_heading_text(FILE *out, const char *title)
{
    fputs("<th class=\"text\">", out);
    html_text(out, title);
    fputs("</th>", out);
}

void html_table_rows(FILE *out)
{
    fputs("</tr></thead>\n<tbody>\n", out);
}

void html_cell(FILE *out, double number, const char *format)
{
    char text[64];

    snprintf(text, sizeof text, format, number);
    if (!isfinite(number))
        fputs("<td>&ndash;</td>", out);
    else
        fprintf(out, "<td>%s</td>", strtod(text, NULL) != 0 ? text : "0");
}

void html_cell_text(FILE *out, const char *text)
{
    fputs("<td class=\"text\">", out);
    html_text(out, text);
    fputs("</td>", out);
}

void html_table_end(FILE *out)
{
    fputs("</tbody></table></div>\n", out);
}

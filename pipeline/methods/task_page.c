#include "methods/task_page.h"
#include "base/html.h"
#include "base/text.h"
#include "suite/paths.h"

#include <stdlib.h>

void task_page_begin(struct task_page *page, const struct circuit *circuit, const char *name)
{
    char model[PATH_NAME];

    *page = (struct task_page){ .circuit = circuit, .name = name };
    page->out = text_open(&page->text, &page->bytes);
    path_name(model, circuit->suite->model.path);
    html_begin(page->out, name, model);
    fputs("<h1>", page->out);
    html_text(page->out, name);
    fputs("</h1>\n<p class=\"lead\"><code>", page->out);
    html_text(page->out, model);
    fputs("</code>", page->out);
    if (circuit->prompts->count > 0)
        fprintf(page->out, " on %lld prompts of up to %lld tokens",
                (long long)circuit->prompts->count, (long long)circuit->prompts->tokens);
}

enum status task_page_write(struct task_page *page)
{
    char path[PATH_LENGTH];
    enum status st;

    fprintf(page->out, "<h2>How it was made</h2>\n<p>By saemill, from these keys. Numbers for "
            "programs are in <a href=\"%s.json\">%s.json</a>", page->name, page->name);
    if (!page->without_table)
        fprintf(page->out, " and %s.h5", page->name);
    fputs(".</p>\n<details><summary>The file <span>&middot; every key, including defaults</span>"
          "</summary>\n<pre><code>", page->out);
    html_text(page->out, page->circuit->suite->text);
    fputs("</code></pre></details>\n", page->out);
    html_end(page->out);
    text_close(page->out);
    paths_result(path, page->circuit->suite, page->name, ".html");
    st = file_write(path, page->text, (int64_t)page->bytes);
    free(page->text);
    return st;
}

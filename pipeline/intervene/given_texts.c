#include "intervene/given_texts.h"

enum status given_texts_read(struct prompts *texts, const struct wording *wording,
                             const struct suite *suite, char *const *paths, unsigned count)
{
    enum status st = OK;

    prompts_make(texts, suite->intervene.context);
    for (unsigned f = 0; f < count; f++)
        TRY(prompts_read(texts, wording, paths[f], suite->intervene.texts));
    REQUIRE(count == 0 || texts->count > 0, E_USAGE, "%s has no texts", paths[0]);
    prompts_trim(texts);
done:
    return st;
}

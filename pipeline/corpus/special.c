#include "corpus/special.h"

enum status special_settle(struct special_tokens *special, const struct tokenizer *tokenizer,
                           const char *folder)
{
    enum status st = OK;

    if (tokenizer->kind != NULL && tokenizer->bos >= 0)
        special->bos = tokenizer->bos;
    if (special->bos < 0)
        special->bos = special->eos;
    REQUIRE(special->bos >= 0, E_FORMAT, "%s/config.json has neither \"bos_token_id\" nor "
            "\"eos_token_id\", one of which every sequence must begin with, and the tokenizer "
            "names none; add it", folder);
    if (special->pad < 0)
        special->pad = special->eos >= 0 ? special->eos : special->bos;
done:
    return st;
}

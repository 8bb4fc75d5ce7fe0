#include "lm/families.h"

#include <stdio.h>
#include <string.h>

extern const struct family FAMILY_GEMMA, FAMILY_GEMMA_2, FAMILY_GEMMA_3;  /* family_gemma.c */
extern const struct family FAMILY_GPT2;                                 /* family_gpt2.c */
extern const struct family FAMILY_GPT_NEOX;                             /* family_gpt_neox.c */
extern const struct family FAMILY_LLAMA, FAMILY_LLAMA_MISTRAL;          /* family_llama.c */
extern const struct family FAMILY_LLAMA_QWEN2, FAMILY_LLAMA_QWEN3;      /* family_llama.c */
extern const struct family FAMILY_OLMO2;                                /* family_olmo2.c */
extern const struct family FAMILY_PHI3;                                 /* family_phi3.c */

static const struct family *const FAMILIES[] = {
    &FAMILY_GEMMA,
    &FAMILY_GEMMA_2,
    &FAMILY_GEMMA_3,
    &FAMILY_GPT2,
    &FAMILY_GPT_NEOX,
    &FAMILY_LLAMA,
    &FAMILY_LLAMA_MISTRAL,
    &FAMILY_OLMO2,
    &FAMILY_PHI3,
    &FAMILY_LLAMA_QWEN2,
    &FAMILY_LLAMA_QWEN3,
};

enum { COUNT = sizeof FAMILIES / sizeof *FAMILIES };

const struct family *families_at(int i)
{
    return i < COUNT ? FAMILIES[i] : NULL;
}

const struct family *families_find(const char *name)
{
    for (int i = 0; i < COUNT; i++)
        if (strcmp(FAMILIES[i]->name, name) == 0)
            return FAMILIES[i];
    return NULL;
}

const char *families_names(char text[FAMILIES_TEXT])
{
    size_t used = 0;

    for (int i = 0; i < COUNT && used < FAMILIES_TEXT; i++)
        used += (size_t)snprintf(text + used, FAMILIES_TEXT - used, "%s%s",
                                 i == 0 ? "" : i == COUNT - 1 ? " and " : ", ",
                                 FAMILIES[i]->name);
    return text;
}

/* The table of sites: orders that are orders, and names by which sites are found. */
#include "suite/site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void numbers_sites_without_gap(void **state)
{
    bool come_to[SITES] = {0}, listed[SITES] = {0};

    (void)state;
    for (enum site site = 0; site < SITES; site++) {
        const struct site_traits *traits = site_traits(site);
        assert_in_range(traits->order, 0, SITES - 1);
        assert_in_range(traits->listed, 0, SITES - 1);
        assert_false(come_to[traits->order] || listed[traits->listed]);
        come_to[traits->order] = listed[traits->listed] = true;
        assert_int_equal(site_at(site_order(site)), site);
    }
}

/* By the computation itself: attention, the MLP's norm, the MLP, the sum. */
static void comes_to_sites_in_the_order_of_a_layer(void **state)
{
    (void)state;
    assert_true(site_order(SITE_ATTN) < site_order(SITE_MLP_IN));
    assert_true(site_order(SITE_MLP_IN) < site_order(SITE_MLP));
    assert_int_equal(site_at(SITES - 1), SITE_RES);
    assert_int_equal(site_tap_step((struct tap){ SITE_RES, 2 }) + 1,
                     site_tap_step((struct tap){ site_at(0), 3 }));
}

static void finds_sites_by_name(void **state)
{
    char text[SITE_TEXT];
    enum site found;

    (void)state;
    for (enum site site = 0; site < SITES; site++) {
        assert_int_equal(site_parse(&found, site_name(site)), OK);
        assert_int_equal(found, site);
        assert_non_null(strstr(site_list(text), site_name(site)));
        assert_non_null(strstr(SITE_WORDS, site_name(site)));
    }
    assert_int_equal(site_parse(&found, "mlp_out"), E_USAGE);
    assert_non_null(strstr(refuse_reason(), site_list(text)));
    refuse_clear();
    assert_string_equal(site_tap_name(text, (struct tap){ SITE_RES, 1 }), "res.01");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_sites_without_gap),
        cmocka_unit_test(comes_to_sites_in_the_order_of_a_layer),
        cmocka_unit_test(finds_sites_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

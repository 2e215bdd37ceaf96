/* MTA-STS records, and what RFC 8461 section 3.1 asks of one that is read. */
#include "fuzz.h"

#include "route/sts_policy.h"

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static void check_id(struct str record, const char *id)
{
    size_t length = strlen(id);

    fuzz_check(length > 0 && length < STS_ID_SIZE);
    for (size_t i = 0; i < length; i++)
        fuzz_check(is_alphanumeric(id[i]));
    fuzz_check(str_contains(record, str_of(id)));
    fuzz_check(str_starts(record, STR("v=STSv1;")));
    fuzz_check(str_is_ascii(record));
}

/* The same with a field more, which says nothing, and with a second id, which does not count. */
static void check_more(struct str record, const char *id, const char *more)
{
    char again[STS_ID_SIZE];
    struct buf text = {0};

    buf_add(&text, record);
    buf_add_text(&text, more);
    fuzz_check(sts_read_record(buf_str(&text), again));
    fuzz_check(strcmp(id, again) == 0);
    buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str content = fuzz_input(data, size);
    char *exact = fuzz_exact(content), id[STS_ID_SIZE];
    struct str record = {exact, content.length};

    if (sts_read_record(record, id)) {
        bool ended = str_ends(str_trim(record), STR(";"));

        check_id(record, id);
        check_more(record, id, ended ? "x=1" : ";x=1");
        check_more(record, id, ended ? "id=other" : " ; id=other;\t");
    } else {
        fuzz_check(id[0] == '\0');
    }
    free(exact);
    return 0;
}

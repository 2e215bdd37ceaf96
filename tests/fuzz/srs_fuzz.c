/* Senders that are rewritten, once and again, and local parts that claim to be such. */
#include "fuzz.h"

#include "smtp/path.h"
#include "smtp/srs.h"

enum { DAY = 20000 };

static const struct srs ours = {{"fwd.example", 11}, {"a secret of the fuzzer", 22}}, theirs = {{"next.example", 12}, {"another secret", 14}};

static struct str local_of(struct str address, struct arena *arena)
{
    struct path path;

    fuzz_check(path_parse_address(&path, address, arena) == PATH_OK);
    return path.local;
}

/* What one forwarder made it alone takes back, on a day on which it may. */
static void check_once(struct str sender, const struct path *path, struct str rewritten, struct arena *arena)
{
    struct str found, local = local_of(rewritten, arena);
    struct path back;

    fuzz_check(rewritten.length <= PATH_MAX_OCTETS - 2);
    if (str_equal(path->host, ours.domain)) {
        fuzz_check(str_equal(rewritten, sender));
        return;
    }
    fuzz_check(srs_reverse(&ours, local, DAY + SRS_DAYS_VALID, arena, &found) == SRS_OK);
    fuzz_check(path_parse_address(&back, found, arena) == PATH_OK);
    fuzz_check(srs_reverse(&theirs, local, DAY, arena, &found) == SRS_FORGED);
}

static void check_sender(struct str sender, const struct path *path, struct arena *arena)
{
    struct str once, twice, found;

    if (!srs_forward(&ours, sender, DAY, arena, &once))
        return;
    check_once(sender, path, once, arena);
    if (!srs_forward(&theirs, once, DAY, arena, &twice))
        return;
    fuzz_check(twice.length <= PATH_MAX_OCTETS - 2);
    if (str_starts_nocase(local_of(once, arena), STR("SRS0=")) && !str_equal(path->host, ours.domain)) {
        fuzz_check(srs_reverse(&theirs, local_of(twice, arena), DAY, arena, &found) == SRS_OK);
        fuzz_check(str_equal(found, once));
    }
}

/* Nothing passes that was not made here: the secret stands in no input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct str input = fuzz_input(data, size), found;
    struct path path;

    fuzz_check(srs_reverse(&ours, input, DAY, &arena, &found) != SRS_OK);
    if (path_parse_address(&path, input, &arena) == PATH_OK)
        check_sender(input, &path, &arena);
    arena_done(&arena);
    return 0;
}

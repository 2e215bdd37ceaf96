#include "test.h"

#include "smtp/path.h"
#include "smtp/srs.h"

static const struct srs ours = {{"fwd.example", 11}, {"an old secret", 13}};

static void check_forward(const char *sender, int64_t day, const char *expected)
{
    struct arena arena = {0};
    struct str rewritten = {0};

    check(srs_forward(&ours, str_of(sender), day, &arena, &rewritten));
    check_str(rewritten, str_of(expected));
    arena_done(&arena);
}

/* The part before the @ of ADDRESS, without its quotes. */
static enum srs_result reverse_with(const struct srs *s, struct str address, int64_t day, struct arena *arena, struct str *found)
{
    struct path path;

    *found = STR("");
    if (!check(path_parse_address(&path, address, arena) == PATH_OK))
        return SRS_FOREIGN;
    return srs_reverse(s, path.local, day, arena, found);
}

static void check_reverse(const char *address, int64_t day, enum srs_result result, const char *expected)
{
    struct arena arena = {0};
    struct str found;

    if (!check_number(reverse_with(&ours, str_of(address), day, &arena, &found), result))
        printf("#   %s\n", address);
    if (result == SRS_OK)
        check_str(found, str_of(expected));
    arena_done(&arena);
}

/* Hashes are from Python's hmac and base64. */
static const struct {
    const char *sender;
    int64_t day;
    const char *rewritten;
} vectors[] = {
    {"joe@example.com", 20000, "SRS0=XAHo=RA=example.com=joe@fwd.example"},
    {"Joe.Bloggs@example.com", 20000, "SRS0=nUlM=RA=example.com=Joe.Bloggs@fwd.example"},
    {"a=b+c@example.com", 20778, "SRS0=dziu=JK=example.com=a=b+c@fwd.example"},
    {"j\xc3\xa4@example.com", 0, "SRS0=9g33=AA=example.com=j\xc3\xa4@fwd.example"},
    {"x@xn--tst-qla.example", 1023, "SRS0=A8qV=77=xn--tst-qla.example=x@fwd.example"},
};

static void first_forwarders(void)
{
    for (size_t i = 0; i < TEST_COUNT(vectors); i++) {
        check_forward(vectors[i].sender, vectors[i].day, vectors[i].rewritten);
        check_reverse(vectors[i].rewritten, vectors[i].day, SRS_OK, vectors[i].sender);
    }
}

static void domains_are_in_normal_form(void)
{
    check_forward("joe@EXAMPLE.com", 20000, "SRS0=XAHo=RA=example.com=joe@fwd.example");
    check_forward("x@t\xc3\xa4st.example", 1023, "SRS0=A8qV=77=xn--tst-qla.example=x@fwd.example");
}

static void quoted_locals(void)
{
    struct arena arena = {0};
    struct str rewritten, found;

    check(srs_forward(&ours, STR("\"joe \\\"@\\\" bloggs\"@example.com"), 5, &arena, &rewritten));
    check(str_starts(rewritten, STR("\"SRS0=")) && str_ends(rewritten, STR("=AF=example.com=joe \\\"@\\\" bloggs\"@fwd.example")));
    check_number(reverse_with(&ours, rewritten, 6, &arena, &found), SRS_OK);
    check_str(found, STR("\"joe \\\"@\\\" bloggs\"@example.com"));
    arena_done(&arena);
}

static void second_forwarders(void)
{
    check_forward("SRS0=abcd=TT=example.com=joe@other.example", 7, "SRS1=hzeT=other.example==abcd=TT=example.com=joe@fwd.example");
    check_forward("SRS0+abcd+TT+example.com+joe@other.example", 8, "SRS1=Lp8X=other.example=+abcd+TT+example.com+joe@fwd.example");
    check_reverse("SRS1=hzeT=other.example==abcd=TT=example.com=joe@fwd.example", 9999, SRS_OK,
                  "SRS0=abcd=TT=example.com=joe@other.example");
    check_reverse("SRS1=Lp8X=other.example=+abcd+TT+example.com+joe@fwd.example", 9999, SRS_OK,
                  "SRS0+abcd+TT+example.com+joe@other.example");
}

/* From the third on, the second is left out: reports go from us to the first. */
static void third_forwarders(void)
{
    check_forward("SRS1=WXYZ=other.example==abcd=TT=example.com=joe@second.example", 7,
                  "SRS1=hzeT=other.example==abcd=TT=example.com=joe@fwd.example");
    check_forward("srs1-WXYZ=other.example==abcd=TT=example.com=joe@second.example", 7,
                  "SRS1=hzeT=other.example==abcd=TT=example.com=joe@fwd.example");
}

static void what_only_looks_like_a_forwarder_is_an_address(void)
{
    static const char *const table[] = {"SRS0@other.example", "SRS0=@other.example", "SRS0x=y@other.example", "SRS1@other.example",
                                        "SRS1=x@other.example", "SRS1=x=y@other.example", "SRS1=x=other.example=y@other.example",
                                        "SRS1=x=-bad-==y@other.example"};

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct arena arena = {0};
        struct str rewritten, found;

        check(srs_forward(&ours, str_of(table[i]), 1, &arena, &rewritten));
        check(str_starts(rewritten, STR("SRS0=")));
        check_number(reverse_with(&ours, rewritten, 1, &arena, &found), SRS_OK);
        check_str(found, str_of(table[i]));
        arena_done(&arena);
    }
}

static void our_own_senders_stay(void)
{
    check_forward("joe@fwd.example", 1, "joe@fwd.example");
    check_forward("joe@FWD.example", 1, "joe@FWD.example");
    check_forward("SRS0=XAHo=RA=example.com=joe@fwd.example", 1, "SRS0=XAHo=RA=example.com=joe@fwd.example");
}

/* Servers on the way may change the case, and some the separator. */
static void reading_is_liberal(void)
{
    check_reverse("srs0=xaho=ra=example.com=joe@fwd.example", 20000, SRS_OK, "joe@example.com");
    check_reverse("SRS0=XAHO=RA=EXAMPLE.COM=JOE@fwd.example", 20000, SRS_OK, "JOE@EXAMPLE.COM");
    check_reverse("SRS0+XAHo=RA=example.com=joe@fwd.example", 20000, SRS_OK, "joe@example.com");
    check_reverse("SRS0-XAHo=RA=example.com=joe@fwd.example", 20000, SRS_OK, "joe@example.com");
    check_reverse("srs1-HZET=other.example==abcd=tt=example.com=joe@fwd.example", 0, SRS_OK, "SRS0=abcd=tt=example.com=joe@other.example");
}

static void every_octet_counts(void)
{
    const struct str good = STR("SRS0=XAHo=RA=example.com=joe");

    for (size_t i = 5; i < good.length; i++) {
        char changed[64];
        struct arena arena = {0};
        struct str found;

        str_copy(good, changed, sizeof changed);
        changed[i] = changed[i] == 'z' ? 'y' : 'z';
        check_number(srs_reverse(&ours, str_of(changed), 20000, &arena, &found), SRS_FORGED);
        arena_done(&arena);
    }
}

static void forgeries(void)
{
    static const char *const table[] = {"SRS0==RA=example.com=joe", "SRS0=XAH=RA=example.com=joe", "SRS0=XAHoo=RA=example.com=joe", "SRS0=",
                                        "SRS0=XAHo",
                                        "SRS0=XAHo=", "SRS0=XAHo=RA=", "SRS0=XAHo=RA=example.com=", "SRS0=XAHo==RA=example.com=joe",
                                        /* Another's hash, of the other kind or of fields that were cut elsewhere. */
                                        "SRS1=XAHo=RA=example.com=joe", "SRS1=XAHo=example.com==RA=joe",
                                        "SRS0=hzeT=other.example==abcd=TT=example.com=joe",
                                        "SRS1=", "SRS1=hzeT=", "SRS1=hzeT=other.example"};

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct arena arena = {0};
        struct str found;

        if (!check_number(srs_reverse(&ours, str_of(table[i]), 20000, &arena, &found), SRS_FORGED))
            printf("#   %s\n", table[i]);
        arena_done(&arena);
    }
}

/* The end of a domain is no beginning of a local part. */
static void fields_keep_apart(void)
{
    const struct srs *s = &ours;
    struct arena arena = {0};
    struct str rewritten, found;
    char changed[64];

    check(srs_forward(s, STR("mbob@example.co"), 3, &arena, &rewritten));
    snprintf(changed, sizeof changed, "%.*sexample.com=bob", 13, rewritten.data);
    check_number(srs_reverse(s, str_of(changed), 3, &arena, &found), SRS_FORGED);
    arena_done(&arena);
}

static void other_secrets(void)
{
    const struct srs other = {ours.domain, STR("another secret")};
    struct arena arena = {0};
    struct str found;

    for (size_t i = 0; i < TEST_COUNT(vectors); i++)
        check_number(reverse_with(&other, str_of(vectors[i].rewritten), vectors[i].day, &arena, &found), SRS_FORGED);
    arena_done(&arena);
}

static void foreign_addresses(void)
{
    static const char *const table[] = {"joe", "SRS0", "SRS", "SRS2=XAHo=RA=example.com=joe", "xSRS0=XAHo=RA=example.com=joe",
                                        "SRS0XAHo=RA=example.com=joe", "SRS0.=x"};
    struct arena arena = {0};
    struct str found;

    for (size_t i = 0; i < TEST_COUNT(table); i++)
        check_number(srs_reverse(&ours, str_of(table[i]), 20000, &arena, &found), SRS_FOREIGN);
    arena_done(&arena);
}

static void times(void)
{
    for (int64_t age = -2; age < 1030; age++)
        check_reverse("SRS0=XAHo=RA=example.com=joe@fwd.example", 20000 + age,
                      (age >= 0 && age <= SRS_DAYS_VALID) || age >= SRS_DAYS ? SRS_OK : SRS_EXPIRED, "joe@example.com");
    /* Over the end of the count. */
    check_reverse("SRS0=A8qV=77=xn--tst-qla.example=x@fwd.example", 1024 + 20, SRS_OK, "x@xn--tst-qla.example");
    check_reverse("SRS0=A8qV=77=xn--tst-qla.example=x@fwd.example", 1024 + 21, SRS_EXPIRED, "");
}

/* 254 octets: the local part may become longer than 64. */
static void bounds(void)
{
    char sender[300];
    struct arena arena = {0};
    struct str rewritten, found;
    int most = 254 - (int)strlen("SRS0=XAHo=RA=example.com=@fwd.example");

    memset(sender, 'a', sizeof sender);
    snprintf(sender + most, 20, "@example.com");
    check(srs_forward(&ours, str_of(sender), 20000, &arena, &rewritten));
    check_number(rewritten.length, 254);
    check_number(reverse_with(&ours, rewritten, 20000, &arena, &found), SRS_OK);
    check_str(found, str_of(sender));
    memset(sender, 'a', sizeof sender);
    snprintf(sender + most + 1, 20, "@example.com");
    check(!srs_forward(&ours, str_of(sender), 20000, &arena, &rewritten));
    check(!srs_forward(&ours, STR("joe"), 20000, &arena, &rewritten));
    check(!srs_forward(&ours, STR(""), 20000, &arena, &rewritten));
    arena_done(&arena);
}

static const struct test_case cases[] = {
    TEST_CASE(first_forwarders),
    TEST_CASE(domains_are_in_normal_form),
    TEST_CASE(quoted_locals),
    TEST_CASE(second_forwarders),
    TEST_CASE(third_forwarders),
    TEST_CASE(what_only_looks_like_a_forwarder_is_an_address),
    TEST_CASE(our_own_senders_stay),
    TEST_CASE(reading_is_liberal),
    TEST_CASE(every_octet_counts),
    TEST_CASE(forgeries),
    TEST_CASE(fields_keep_apart),
    TEST_CASE(other_secrets),
    TEST_CASE(foreign_addresses),
    TEST_CASE(times),
    TEST_CASE(bounds),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

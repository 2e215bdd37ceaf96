#include "test.h"

#include "net/tls_files.h"

#include "place.h"

#include <sys/stat.h>
#include <utime.h>

#define HEAD "tmail certificates 1\n"
#define PAIR "0:,1:c,1:k,1:C,1:K,"

static struct place place;
static char cert[100], key[100], folder[100];

static const char *path_of(const char *name)
{
    static char paths[4][300];
    static unsigned next;

    next = (next + 1) % 4;
    snprintf(paths[next], sizeof paths[next], "%s/%s", place.folder, name);
    return paths[next];
}

static void put(const char *name, struct str content)
{
    FILE *file = fopen(path_of(name), "w");

    if (file == NULL || fwrite(content.data, 1, content.length, file) != content.length || fclose(file) != 0) {
        perror(name);
        exit(1);
    }
}

static void open_place(void)
{
    place_open(&place);
    snprintf(cert, sizeof cert, "%s", path_of("server.crt"));
    snprintf(key, sizeof key, "%s", path_of("server.key"));
    snprintf(folder, sizeof folder, "%s", path_of("sni"));
    put("server.crt", STR("the certificate\0\n"));
    put("server.key", STR("the key"));
    mkdir(folder, 0700);
}

static void refuse(const char *dir, const char *expected)
{
    char error[512] = "";
    struct tls_pairs p;

    check(!tls_files_read(&p, cert, key, dir, error, sizeof error));
    check_has(error, expected);
    check(p.items == NULL && p.count == 0);
    tls_files_done(&p);
}

static void files_are_read_as_they_are(void)
{
    char error[512] = "";
    struct tls_pairs p;

    open_place();
    if (check(tls_files_read(&p, cert, key, "", error, sizeof error))) {
        check_number(p.count, 1);
        check_text(p.items[0].host, "");
        check_text(p.items[0].cert_path, cert);
        check_text(p.items[0].key_path, key);
        check_str(p.items[0].cert, STR("the certificate\0\n"));
        check_str(p.items[0].key, STR("the key"));
    }
    tls_files_done(&p);
    check(p.items == NULL && p.count == 0);
    tls_files_done(&p);
    put("server.key", STR(""));
    check(tls_files_read(&p, cert, key, folder, error, sizeof error));
    check_number(p.count, 1);
    check_number(p.items[0].key.length, 0);
    tls_files_done(&p);
    place_close(&place);
}

static const struct tls_pair *find(const struct tls_pairs *p, const char *host)
{
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->items[i].host, host) == 0)
            return &p->items[i];
    return NULL;
}

static void a_folder_holds_pairs(void)
{
    char error[512] = "";
    struct tls_pairs p;
    const struct tls_pair *pair;

    open_place();
    put("sni/A.Example.crt", STR("A"));
    put("sni/A.Example.key", STR("a"));
    put("sni/*.example.org.crt", STR("W"));
    put("sni/*.example.org.key", STR("w"));
    put("sni/.hidden.crt", STR("H"));
    put("sni/.crt", STR("H"));
    put("sni/README", STR("no certificate"));
    put("sni/b.example.crt~", STR("no certificate"));
    mkdir(path_of("sni/folder"), 0700);
    if (!check(tls_files_read(&p, cert, key, folder, error, sizeof error))) {
        printf("# %s\n", error);
        return;
    }
    check_number(p.count, 3);
    check_text(p.items[0].host, "");
    pair = find(&p, "a.example");
    if (check(pair != NULL)) {
        check_text(pair->cert_path, path_of("sni/A.Example.crt"));
        check_text(pair->key_path, path_of("sni/A.Example.key"));
        check_str(pair->cert, STR("A"));
        check_str(pair->key, STR("a"));
    }
    check(find(&p, "*.example.org") != NULL);
    tls_files_done(&p);
    put("sni/lonely.example.crt", STR("L"));
    refuse(folder, "sni/lonely.example.key is missing");
    unlink(path_of("sni/lonely.example.crt"));
    put("sni/keyless.example.key", STR("L"));
    refuse(folder, "sni/keyless.example.crt is missing");
    place_close(&place);
}

static void what_cannot_be_read_is_named(void)
{
    static char large[TLS_FILE_MAX + 1];
    char error[512];
    struct tls_pairs p;

    open_place();
    put("server.crt", (struct str){large, TLS_FILE_MAX});
    check(tls_files_read(&p, cert, key, "", error, sizeof error));
    check_number(p.items[0].cert.length, TLS_FILE_MAX);
    tls_files_done(&p);
    put("server.crt", (struct str){large, TLS_FILE_MAX + 1});
    refuse("", "server.crt: it is too big");
    unlink(cert);
    refuse("", "server.crt: No such file or directory");
    mkdir(cert, 0700);
    refuse("", "server.crt: it is not a file");
    rmdir(cert);
    check(mkfifo(cert, 0600) == 0);
    refuse("", "server.crt: it is not a file");
    unlink(cert);
    put("server.crt", STR("x"));
    unlink(key);
    refuse("", "server.key: No such file or directory");
    put("server.key", STR("x"));
    refuse(path_of("absent"), "absent: No such file or directory");
    mkdir(path_of("sni/a.example.crt"), 0700);
    put("sni/a.example.key", STR("x"));
    refuse(folder, "sni/a.example.crt: it is not a file");
    place_close(&place);
}

static uint64_t fingerprint(void)
{
    return tls_files_fingerprint(cert, key, folder);
}

static void fingerprints_follow_changes(void)
{
    uint64_t before, now;
    char other[300];

    open_place();
    before = fingerprint();
    check(fingerprint() == before);
    check(tls_files_fingerprint(cert, key, "") != before);
    utime(key, &(struct utimbuf){1000, 1000});
    now = fingerprint();
    check(now != before);
    /* A new file in the place of the old, as old and as long. */
    before = now;
    put("new.key", STR("THE KEY"));
    utime(path_of("new.key"), &(struct utimbuf){1000, 1000});
    rename(path_of("new.key"), key);
    now = fingerprint();
    check(now != before);
    before = now;
    put("sni/a.example.crt", STR("1"));
    now = fingerprint();
    check(now != before);
    before = now;
    put("sni/a.example.key", STR("1"));
    check(fingerprint() != before);
    before = fingerprint();
    put("sni/a.example.crt", STR("12"));
    now = fingerprint();
    check(now != before);
    before = now;
    /* A link that points elsewhere, as certbot leaves them. */
    put("one", STR("1"));
    put("two", STR("2"));
    unlink(cert);
    check(symlink("one", cert) == 0);
    now = fingerprint();
    check(now != before);
    before = now;
    snprintf(other, sizeof other, "%s.new", cert);
    check(symlink("two", other) == 0 && rename(other, cert) == 0);
    now = fingerprint();
    check(now != before);
    before = now;
    unlink(cert);
    check(fingerprint() != before);
    check(fingerprint() == fingerprint());
    place_close(&place);
}

static void bundles_carry_all(void)
{
    struct tls_pair pairs[] = {
        {"", "/etc/tmail/ssl/server.crt", "/etc/tmail/ssl/server.key", STR("c\0c,3:"), STR("")},
        {"*.example.org", "/x/*.example.org.crt", "/x/*.example.org.key", STR("C"), STR("K\n")},
        {"a.example", "", "", STR(""), STR("")},
    };
    struct tls_pairs p = {.items = pairs, .count = TEST_COUNT(pairs)}, back;
    struct buf bundle = {0}, again = {0};

    tls_files_write(&p, &bundle);
    if (check(tls_files_parse(&back, buf_str(&bundle)))) {
        check_number(back.count, p.count);
        for (size_t i = 0; i < back.count && i < p.count; i++) {
            check_text(back.items[i].host, pairs[i].host);
            check_text(back.items[i].cert_path, pairs[i].cert_path);
            check_text(back.items[i].key_path, pairs[i].key_path);
            check_str(back.items[i].cert, pairs[i].cert);
            check_str(back.items[i].key, pairs[i].key);
        }
        tls_files_write(&back, &again);
        check_str(buf_str(&again), buf_str(&bundle));
        tls_files_done(&back);
    }
    /* No part of it is a bundle. */
    for (size_t length = 0; length < bundle.length; length++) {
        bool whole_pairs = tls_files_parse(&back, str_part(buf_str(&bundle), 0, length));

        check(!whole_pairs || back.count < p.count);
        tls_files_done(&back);
    }
    buf_done(&bundle);
    buf_done(&again);
}

static void other_texts_are_no_bundles(void)
{
    const struct {
        struct str text;
        bool good;
    } table[] = {
        {STR(HEAD PAIR), true},
        {STR(HEAD PAIR "1:h,0:,0:,0:,0:,"), true},
        {STR(""), false},
        {STR(HEAD), false},
        {STR("tmail certificates 2\n" PAIR), false},
        {STR("tmail certificates 1" PAIR), false},
        {STR(PAIR), false},
        {STR(HEAD PAIR PAIR), false},
        {STR(HEAD "1:h,1:c,1:k,1:C,1:K,"), false},
        {STR(HEAD PAIR "\n"), false},
        {STR(HEAD "0:,1:c,1:k,1:C,1:K"), false},
        {STR(HEAD "0:,1:c,1:k,1:C,1:K;"), false},
        {STR(HEAD "0:,1:c,1:k,1:C,"), false},
        {STR(HEAD "0:,1:c,1:k,1:C,2:K,"), false},
        {STR(HEAD "0:,1:c,1:k,1:C,01:K,"), false},
        {STR(HEAD "0:,1:c,1:k,1:C,+1:K,"), false},
        {STR(HEAD "0:,1:c,1:k,1:C,-1:K,"), false},
        {STR(HEAD "0:,1:c,1:k,1:C,:K,"), false},
        {STR(HEAD "0:,1:\0,1:k,1:C,1:K,"), false},
        {STR(HEAD PAIR "1:\0,1:c,1:k,1:C,1:K,"), false},
        {STR(HEAD "0:,1:c,1:k,1:C,99999999999999999999:K,"), false},
        {STR(HEAD "0:,1:c,1:k,1:C,18446744073709551615:K,"), false},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        /* Exactly as long as it is, for the sanitizer's eyes. */
        char *exact = malloc(table[i].text.length + 1);
        char *end = exact + 1;
        struct tls_pairs p;

        memcpy(end, table[i].text.data, table[i].text.length);
        if (!check(tls_files_parse(&p, (struct str){end, table[i].text.length}) == table[i].good))
            printf("# row %zu\n", i);
        tls_files_done(&p);
        free(exact);
    }
}

static const struct test_case cases[] = {
    TEST_CASE(files_are_read_as_they_are),
    TEST_CASE(a_folder_holds_pairs),
    TEST_CASE(what_cannot_be_read_is_named),
    TEST_CASE(fingerprints_follow_changes),
    TEST_CASE(bundles_carry_all),
    TEST_CASE(other_texts_are_no_bundles),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}

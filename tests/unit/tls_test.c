#include "test.h"

#include "base/clock.h"
#include "base/log.h"
#include "net/stream.h"
#include "net/tls_library.h"

#include "certificate.h"
#include "place.h"

#include <stdatomic.h>

enum { PATIENCE_MS = 5000 };

static struct place place;
static struct authority root, other_root;
static struct tls_server *server;
static struct tls_client *client;

/* What is arranged for a meeting of a client and the server, and what both then say of it. */
struct meeting {
    const char *host;
    bool verify;
    const struct tls_wanted *wanted; /* NULL: what the two above say */
    void (*prepare)(SSL *ssl); /* the client's, before the handshake */
    SSL_SESSION *resume;

    bool started, served;
    enum tls_trouble trouble;
    enum stream_fault fault, server_fault;
    char problem[TLS_ERROR_SIZE], server_problem[TLS_ERROR_SIZE];
    struct tls_info info, server_info;
    bool binds, server_binds;
    unsigned char binding[TLS_BINDING], server_binding[TLS_BINDING], exported[TLS_BINDING];
    char subject[100]; /* of the server's certificate */
    SSL_SESSION *session;
    int fd;
};

static void open_stream(struct stream *s, int fd)
{
    const struct address nobody = {0};

    stream_init(s, fd, &nobody);
    s->deadline = clock_now() + PATIENCE_MS;
}

static void open_pair(struct stream *s, int *fd)
{
    int fds[2];

    certificate_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    open_stream(s, fds[0]);
    *fd = fds[1];
}

static void echo(struct stream *s)
{
    while (stream_fill(s, 100000)) {
        stream_put(s, stream_input(s));
        stream_consume(s, stream_input(s).length);
    }
}

static void *serve(void *argument)
{
    struct meeting *m = argument;
    struct stream s;
    struct tls *tls = tls_accept(server, m->fd);

    open_stream(&s, m->fd);
    m->served = stream_start_tls(&s, &tls);
    if (m->served) {
        tls_info(s.tls, &m->server_info);
        m->server_binds = tls_binding(s.tls, m->server_binding);
        echo(&s);
    }
    m->server_fault = s.fault;
    snprintf(m->server_problem, sizeof m->server_problem, "%s", stream_fault_text(&s));
    stream_finish(&s, clock_now() + 1000);
    stream_done(&s);
    return NULL;
}

static void look_at(struct meeting *m, struct stream *s)
{
    tls_info(s->tls, &m->info);
    m->binds = tls_binding(s->tls, m->binding);
    SSL_export_keying_material(s->tls->ssl, m->exported, TLS_BINDING, "EXPORTER-Channel-Binding", 24, NULL, 0, 0);
    X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(s->tls->ssl)), NID_commonName, m->subject, sizeof m->subject);
    stream_put(s, STR("hello"));
    m->started = stream_fill(s, 100) && str_equal(stream_input(s), STR("hello"));
    m->session = SSL_get1_session(s->tls->ssl);
}

static const struct tls_wanted anybody = {.host = "mx.example.org"}, proven = {.proof = TLS_PROOF_NAME, .host = "mx.example.org"};

static struct tls *connect_for(int fd, const struct meeting *m)
{
    struct tls_wanted wanted = m->verify ? proven : anybody;

    if (m->host != NULL)
        wanted.host = m->host;
    return tls_connect(client, fd, m->wanted != NULL ? m->wanted : &wanted);
}

static void meet(struct meeting *m)
{
    struct stream s;
    struct tls *tls;
    pthread_t thread;

    open_pair(&s, &m->fd);
    pthread_create(&thread, NULL, serve, m);
    tls = connect_for(s.fd, m);
    if (m->prepare != NULL)
        m->prepare(tls->ssl);
    if (m->resume != NULL)
        SSL_set_session(tls->ssl, m->resume);
    if (stream_start_tls(&s, &tls))
        look_at(m, &s);
    m->fault = s.fault;
    m->trouble = tls_trouble(s.tls);
    snprintf(m->problem, sizeof m->problem, "%s", tls_problem(s.tls));
    stream_finish(&s, clock_now() + 1000);
    stream_done(&s);
    pthread_join(thread, NULL);
}

static void meeting_done(struct meeting *m)
{
    SSL_SESSION_free(m->session);
}

/* A meeting of which only its notes are of interest. */
static struct meeting met(const char *host, bool verify, void (*prepare)(SSL *))
{
    struct meeting m = {.host = host, .verify = verify, .prepare = prepare};

    meet(&m);
    meeting_done(&m);
    m.session = NULL;
    return m;
}

static const char *path_of(const char *name)
{
    static char paths[4][300];
    static unsigned next;

    next = (next + 1) % 4;
    snprintf(paths[next], sizeof paths[next], "%s/%s", place.folder, name);
    return paths[next];
}

static bool use(const char *name, const char *sni_dir, char *error, size_t error_size)
{
    char cert[300], key[300];
    struct tls_pairs pairs;
    bool good;

    snprintf(cert, sizeof cert, "%s/%s.crt", place.folder, name);
    snprintf(key, sizeof key, "%s/%s.key", place.folder, name);
    if (!tls_files_read(&pairs, cert, key, sni_dir, error, error_size))
        return false;
    good = tls_server_use(server, &pairs, error, error_size);
    tls_files_done(&pairs);
    return good;
}

/* The server with the certificate NAME, the client with the CAs in CA. */
static void set_up(enum tls_version least, const char *client_ca, const char *name, const char *ca)
{
    char error[TLS_ERROR_SIZE] = "";

    tls_server_free(&server);
    tls_client_free(&client);
    server = tls_server_new(least, client_ca, error, sizeof error);
    client = tls_client_new(TLS_VERSION_1_2, ca[0] != '\0' ? path_of(ca) : "", error, sizeof error);
    if (server == NULL || client == NULL || !use(name, "", error, sizeof error)) {
        printf("# %s\n", error);
        exit(1);
    }
}

static void issue(const char *file, const struct wish *w, const struct authority *issuer)
{
    struct authority made = certificate_make(w, issuer);

    certificate_write(&place, file, &made, NULL);
    certificate_done(&made);
}

static void make_world(void)
{
    static const struct wish ca = {.subject = "Test Root", .is_authority = true}, other = {.subject = "Other Root", .is_authority = true};
    static const struct wish good = {.subject = "mx", .names = "DNS:mx.example.org"};

    char error[TLS_ERROR_SIZE];

    place_open(&place);
    log_open(place.folder, -1, LOG_FORMAT_LOGFMT, false, "test", error, sizeof error);
    root = certificate_make(&ca, NULL);
    other_root = certificate_make(&other, NULL);
    certificate_write(&place, "root", &root, NULL);
    certificate_write(&place, "other-root", &other_root, NULL);
    issue("good", &good, &root);
}

static void only_1_2(SSL *ssl)
{
    SSL_set_max_proto_version(ssl, TLS1_2_VERSION);
}

static void only_1_1(SSL *ssl)
{
    SSL_set_security_level(ssl, 0);
    SSL_set_min_proto_version(ssl, TLS1_VERSION);
    SSL_set_max_proto_version(ssl, TLS1_1_VERSION);
}

static void only_cbc(SSL *ssl)
{
    only_1_2(ssl);
    SSL_set_cipher_list(ssl, "ECDHE-ECDSA-AES128-SHA");
}

static void only_static_key(SSL *ssl)
{
    only_1_2(ssl);
    SSL_set_cipher_list(ssl, "AES128-GCM-SHA256");
}

static void only_weak_first(SSL *ssl)
{
    only_1_2(ssl);
    SSL_set_cipher_list(ssl, "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384");
}

static void only_p384(SSL *ssl)
{
    SSL_set1_groups_list(ssl, "P-384");
}

static void versions_and_ciphers(void)
{
    static const struct {
        enum tls_version least;
        void (*prepare)(SSL *ssl);
        const char *version, *cipher; /* NULL: there is no handshake, and the client is told CIPHER */
    } table[] = {
        {TLS_VERSION_1_2, NULL, "TLSv1.3", "TLS_AES_256_GCM_SHA384"},
        {TLS_VERSION_1_3, NULL, "TLSv1.3", "TLS_AES_256_GCM_SHA384"},
        {TLS_VERSION_1_2, only_p384, "TLSv1.3", "TLS_AES_256_GCM_SHA384"},
        {TLS_VERSION_1_2, only_1_2, "TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384"},
        {TLS_VERSION_1_2, only_weak_first, "TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384"},
        {TLS_VERSION_1_3, only_1_2, NULL, "the peer refused: protocol version"},
        {TLS_VERSION_1_2, only_1_1, NULL, "the peer refused: protocol version"},
        {TLS_VERSION_1_2, only_cbc, NULL, "the peer refused: handshake failure"},
        {TLS_VERSION_1_2, only_static_key, NULL, "the peer refused: handshake failure"},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct meeting m;

        set_up(table[i].least, "", "good", "root.crt");
        m = met("mx.example.org", false, table[i].prepare);
        check(m.started == (table[i].version != NULL) && m.served == m.started);
        if (table[i].version != NULL) {
            check_text(m.info.version, table[i].version);
            check_text(m.info.cipher, table[i].cipher);
            check_text(m.server_info.version, table[i].version);
            check_text(m.server_info.cipher, table[i].cipher);
        } else {
            check_text(m.problem, table[i].cipher);
            check_number(m.trouble, TLS_TROUBLE_NONE);
            check_number(m.fault, STREAM_TLS);
            check_number(m.server_fault, STREAM_TLS);
        }
    }
}

static void names_choose_certificates(void)
{
    static const struct wish wishes[] = {{.subject = "default"}, {.subject = "a"}, {.subject = "wild"}, {.subject = "inner"}};
    static const char *const files[] = {"default", "sni/a.Example", "sni/*.wild.example", "sni/in.wild.example"};
    static const struct {
        const char *host, *subject;
    } table[] = {
        {"a.example", "a"}, {"A.EXAMPLE", "a"}, {"a.example.", "a"}, {"b.example", "default"}, {"x.a.example", "default"},
        {"x.wild.example", "wild"}, {"X.Wild.Example", "wild"}, {"in.wild.example", "inner"}, {"x.y.wild.example", "default"},
        {"wild.example", "default"}, {"192.0.2.1", "default"}, {"", "default"}, {"a", "default"}, {"aa.example", "default"},
    };
    char error[TLS_ERROR_SIZE] = "", folder[300];

    snprintf(folder, sizeof folder, "%s/sni", place.folder);
    check(mkdir(folder, 0700) == 0);
    for (size_t i = 0; i < TEST_COUNT(files); i++)
        issue(files[i], &wishes[i], &root);
    set_up(TLS_VERSION_1_2, "", "default", "root.crt");
    if (!check(use("default", folder, error, sizeof error)))
        printf("# %s\n", error);
    for (size_t i = 0; i < TEST_COUNT(table); i++)
        for (int k = 0; k < 2; k++) {
            struct meeting m = met(table[i].host, false, k == 1 ? only_1_2 : NULL);

            if (!check_text(m.subject, table[i].subject))
                printf("# %s\n", table[i].host);
        }
}

static atomic_bool changing;

static void *change_certificates(void *nothing)
{
    char error[TLS_ERROR_SIZE];
    int changes = 0;

    (void)nothing;
    for (; atomic_load(&changing); changes++)
        if (!use(changes % 2 == 0 ? "second" : "good", "", error, sizeof error))
            return error[0] != '\0' ? NULL : nothing;
    return changes > 0 ? &changing : NULL;
}

static void certificates_change_while_sessions_go_on(void)
{
    static const struct wish second = {.subject = "second", .names = "DNS:mx.example.org"};
    struct meeting m = {0};
    int seconds = 0;
    pthread_t changer;
    void *changed = NULL;

    issue("second", &second, &root);
    set_up(TLS_VERSION_1_2, "", "good", "root.crt");
    atomic_store(&changing, true);
    pthread_create(&changer, NULL, change_certificates, NULL);
    for (int i = 0; i < 200 && !test_failed(); i++) {
        m = met("mx.example.org", true, i % 2 == 0 ? only_1_2 : NULL);
        check(m.started && m.served);
        seconds += strcmp(m.subject, "second") == 0;
    }
    atomic_store(&changing, false);
    pthread_join(changer, &changed);
    check(changed != NULL);
    check(seconds > 0 && seconds < 200);
    /* Sessions and tickets from before are good. */
    set_up(TLS_VERSION_1_2, "", "good", "root.crt");
    m = (struct meeting){.host = "mx.example.org"};
    meet(&m);
    check(use("second", "", m.problem, sizeof m.problem));
    struct meeting again = {.host = "mx.example.org", .resume = m.session};
    meet(&again);
    check(again.started && again.info.resumed && again.server_info.resumed);
    meeting_done(&m);
    meeting_done(&again);
}

static void put_file(const char *name, const char *content)
{
    FILE *file = fopen(path_of(name), "w");

    certificate_must(file != NULL && fputs(content, file) >= 0 && fclose(file) == 0);
}

static void copy_file(const char *from, const char *to, long most)
{
    char content[8192];
    FILE *file = fopen(path_of(from), "r");
    size_t length = fread(content, 1, sizeof content - 1, file);

    fclose(file);
    content[most > 0 && (size_t)most < length ? (size_t)most : length] = '\0';
    put_file(to, content);
}

static void lock_key(const char *name)
{
    FILE *file = fopen(path_of(name), "w");

    certificate_must(PEM_write_PKCS8PrivateKey(file, root.key, EVP_aes_256_cbc(), "secret", 6, NULL, NULL) == 1);
    fclose(file);
}

static void wrong_files_are_told_by_name(void)
{
    static const struct {
        const char *name, *error; /* F: the folder */
    } table[] = {
        {"mixed", "F/mixed.crt and F/mixed.key do not belong together"},
        {"no-pem", "F/no-pem.crt: there is no certificate in it"},
        {"empty", "F/empty.crt: there is no certificate in it"},
        {"cut", "F/cut.crt: it cannot be understood: "},
        {"bad-chain", "F/bad-chain.crt: it cannot be understood: "},
        {"no-key", "F/no-key.key: there is no key in it that can be understood"},
        {"cut-key", "F/cut-key.key: there is no key in it that can be understood"},
        {"locked", "F/locked.key: the key is locked with a pass phrase"},
        {"weak", "F/weak.crt: it cannot be used: ee key too small"},
    };
    char error[TLS_ERROR_SIZE];

    set_up(TLS_VERSION_1_2, "", "good", "root.crt");
    copy_file("good.crt", "mixed.crt", 0);
    copy_file("root.key", "mixed.key", 0);
    put_file("no-pem.crt", "this is text\n");
    put_file("empty.crt", "");
    copy_file("good.crt", "cut.crt", 200);
    copy_file("good.crt", "bad-chain.crt", 0);
    FILE *chain = fopen(path_of("bad-chain.crt"), "a");
    fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", chain);
    fclose(chain);
    copy_file("good.crt", "no-key.crt", 0);
    copy_file("good.crt", "no-key.key", 0);
    copy_file("good.crt", "cut-key.crt", 0);
    copy_file("good.key", "cut-key.key", 80);
    copy_file("good.crt", "locked.crt", 0);
    lock_key("locked.key");
    for (int i = 0; i < 4; i++)
        copy_file("good.key", (const char *const[]){"no-pem.key", "empty.key", "cut.key", "bad-chain.key"}[i], 0);
    struct authority weak = {X509_new(), EVP_RSA_gen(1024)};
    X509_set_pubkey(weak.certificate, weak.key);
    X509_gmtime_adj(X509_getm_notBefore(weak.certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(weak.certificate), 3600);
    X509_sign(weak.certificate, weak.key, EVP_sha256());
    certificate_write(&place, "weak", &weak, NULL);
    certificate_done(&weak);

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct buf expected = {0};

        for (const char *c = table[i].error; *c != '\0'; c++)
            if (c[0] == 'F' && c[1] == '/')
                buf_add_text(&expected, place.folder);
            else
                buf_add_byte(&expected, *c);
        error[0] = '\0';
        check(!use(table[i].name, "", error, sizeof error));
        check_has(error, buf_text(&expected));
        buf_done(&expected);
    }
    /* Those from before still stand. */
    check(met("mx.example.org", true, NULL).started);
    check(tls_server_new(TLS_VERSION_1_2, path_of("empty.crt"), error, sizeof error) == NULL);
    check_has(error, "empty.crt");
    check(tls_server_new(TLS_VERSION_1_2, path_of("absent.crt"), error, sizeof error) == NULL);
    check_has(error, "absent.crt: No such file or directory");
    check(tls_client_new(TLS_VERSION_1_2, path_of("absent.crt"), error, sizeof error) == NULL);
    check_has(error, "absent.crt: No such file or directory");
}

static void without_certificates_there_is_no_handshake(void)
{
    char error[TLS_ERROR_SIZE];

    set_up(TLS_VERSION_1_2, "", "good", "root.crt");
    tls_server_free(&server);
    server = tls_server_new(TLS_VERSION_1_2, "", error, sizeof error);
    struct meeting m = met("mx.example.org", false, NULL);
    check(!m.started && !m.served);
    check_number(m.server_fault, STREAM_TLS);
}

static void expired_certificates_are_taken_with_a_warning(void)
{
    static const struct wish old = {.subject = "old", .names = "DNS:mx.example.org", .from = -10, .until = -1};
    char error[TLS_ERROR_SIZE], line[LOG_LINE_SIZE] = "";
    FILE *file;

    issue("old", &old, &root);
    check(mkdir(path_of("warned"), 0700) == 0 && log_open(path_of("warned"), -1, LOG_FORMAT_LOGFMT, false, "test", error, sizeof error));
    set_up(TLS_VERSION_1_2, "", "old", "root.crt");
    check(log_open(place.folder, -1, LOG_FORMAT_LOGFMT, false, "test", error, sizeof error));
    file = fopen(path_of("warned/current.log"), "r");
    check(file != NULL && fgets(line, sizeof line, file) != NULL);
    if (file != NULL)
        fclose(file);
    check_has(line, "level=warning");
    check_has(line, "event=certificate-expired");
    check_has(line, path_of("old.crt"));
    check(met("mx.example.org", false, NULL).started);
}

static void verification(void)
{
    static const struct {
        const char *what;
        struct wish wish;
        const struct authority *issuer; /* NULL: it signs itself */
        const char *host, *problem;     /* "": good */
        enum tls_trouble trouble;
    } table[] = {
        {"good", {.subject = "s", .names = "DNS:mx.example.org"}, &root, "mx.example.org", "", TLS_TROUBLE_NONE},
        {"other case", {.subject = "s", .names = "DNS:mx.example.org"}, &root, "MX.Example.Org", "", TLS_TROUBLE_NONE},
        {"final dot", {.subject = "s", .names = "DNS:mx.example.org"}, &root, "mx.example.org.", "", TLS_TROUBLE_NONE},
        {"second name", {.subject = "s", .names = "DNS:a.example,DNS:mx.example.org"}, &root, "mx.example.org", "", TLS_TROUBLE_NONE},
        {"wildcard", {.subject = "s", .names = "DNS:*.example.org"}, &root, "mx.example.org", "", TLS_TROUBLE_NONE},
        {"IPv4", {.subject = "s", .names = "IP:192.0.2.1"}, &root, "192.0.2.1", "", TLS_TROUBLE_NONE},
        {"IPv6", {.subject = "s", .names = "IP:2001:db8::1"}, &root, "2001:db8:0::1", "", TLS_TROUBLE_NONE},
        {"self-signed", {.subject = "s", .names = "DNS:mx.example.org"}, NULL, "mx.example.org",
         "certificate not trusted: self-signed certificate", TLS_TROUBLE_TRUST},
        {"other CA", {.subject = "s", .names = "DNS:mx.example.org"}, &other_root, "mx.example.org",
         "certificate not trusted: unable to get local issuer certificate", TLS_TROUBLE_TRUST},
        {"expired", {.subject = "s", .names = "DNS:mx.example.org", .from = -10, .until = -1}, &root, "mx.example.org",
         "certificate has expired", TLS_TROUBLE_EXPIRED},
        {"too early", {.subject = "s", .names = "DNS:mx.example.org", .from = 1, .until = 10}, &root, "mx.example.org",
         "certificate is not yet valid", TLS_TROUBLE_EXPIRED},
        {"for clients", {.subject = "s", .names = "DNS:mx.example.org", .usage = "clientAuth"}, &root, "mx.example.org",
         "certificate not trusted: unsuitable certificate purpose", TLS_TROUBLE_TRUST},
        {"other name", {.subject = "s", .names = "DNS:mx.example.org"}, &root, "mx.example.com",
         "certificate is not for mx.example.com", TLS_TROUBLE_NAME},
        {"name below", {.subject = "s", .names = "DNS:example.org"}, &root, "mx.example.org",
         "certificate is not for mx.example.org", TLS_TROUBLE_NAME},
        {"wildcard two below", {.subject = "s", .names = "DNS:*.example.org"}, &root, "a.mx.example.org",
         "certificate is not for a.mx.example.org", TLS_TROUBLE_NAME},
        {"partial wildcard", {.subject = "s", .names = "DNS:m*.example.org"}, &root, "mx.example.org",
         "certificate is not for mx.example.org", TLS_TROUBLE_NAME},
        {"subject only", {.subject = "mx.example.org"}, &root, "mx.example.org", "certificate is not for mx.example.org", TLS_TROUBLE_NAME},
        {"name for address", {.subject = "s", .names = "DNS:192.0.2.1"}, &root, "192.0.2.1",
         "certificate is not for 192.0.2.1", TLS_TROUBLE_NAME},
        {"other address", {.subject = "s", .names = "IP:192.0.2.1"}, &root, "192.0.2.2",
         "certificate is not for 192.0.2.2", TLS_TROUBLE_NAME},
        {"no host", {.subject = "s", .names = "DNS:mx.example.org"}, &root, "", "certificate is not for ", TLS_TROUBLE_NAME},
        {"any host below", {.subject = "s", .names = "DNS:mx.example.org"}, &root, ".example.org",
         "certificate is not for .example.org", TLS_TROUBLE_NAME},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        bool good = table[i].problem[0] == '\0';
        struct meeting m;
        int before = test_state.failures;

        issue("verified", &table[i].wish, table[i].issuer);
        set_up(TLS_VERSION_1_2, "", "verified", "root.crt");
        for (int k = 0; k < 2; k++) {
            m = met(table[i].host, true, k == 1 ? only_1_2 : NULL);
            check(m.started == good);
            check_number(m.trouble, table[i].trouble);
            check_text(m.problem, table[i].problem);
            check_number(m.fault, good ? STREAM_FINE : STREAM_TLS);
            m = met(table[i].host, false, k == 1 ? only_1_2 : NULL);
            check(m.started && m.trouble == TLS_TROUBLE_NONE);
            check_number(m.info.peer, good ? TLS_PEER_VERIFIED : TLS_PEER_UNVERIFIED);
            check_text(m.info.peer_problem, table[i].problem);
            check_number(m.info.peer_trouble, table[i].trouble);
            check_text(m.problem, "");
            check_number(m.server_info.peer, TLS_PEER_NONE);
        }
        if (test_state.failures > before)
            printf("# row %s\n", table[i].what);
    }
}

enum { RECORDS_MOST = 4, RECORD_SIZE = 2048 };

static struct dane {
    struct authority middle; /* by root */
    struct authority leaf, old, self; /* by root, by root and expired, by itself, expired and for another name */
    struct authority below;  /* by middle */
    struct authority other;  /* what no server has */
} dane;

static void make_dane(void)
{
    static const struct wish middle = {.subject = "middle", .is_authority = true};
    static const struct wish leaf = {.subject = "leaf", .names = "DNS:mx.example.org"};
    static const struct wish old = {.subject = "old", .names = "DNS:mx.example.org", .from = -10, .until = -1};
    static const struct wish self = {.subject = "self", .names = "DNS:elsewhere.example", .from = -10, .until = -1};

    dane.middle = certificate_make(&middle, &root);
    dane.leaf = certificate_make(&leaf, &root);
    dane.old = certificate_make(&old, &root);
    dane.self = certificate_make(&self, NULL);
    dane.below = certificate_make(&leaf, &dane.middle);
    dane.other = certificate_make(&leaf, &other_root);
    certificate_write(&place, "leaf", &dane.leaf, NULL);
    certificate_write(&place, "leaf+root", &dane.leaf, &root);
    certificate_write(&place, "old+root", &dane.old, &root);
    certificate_write(&place, "self", &dane.self, NULL);
    certificate_write(&place, "below", &dane.below, NULL);
    certificate_write(&place, "below+middle", &dane.below, &dane.middle);
}

static void dane_done(void)
{
    struct authority *all[] = {&dane.middle, &dane.leaf, &dane.old, &dane.self, &dane.below, &dane.other};

    for (size_t i = 0; i < TEST_COUNT(all); i++)
        certificate_done(all[i]);
}

static X509 *certificate_of(const char *who)
{
    const struct {
        const char *who;
        X509 *certificate;
    } table[] = {
        {"root", root.certificate}, {"middle", dane.middle.certificate}, {"leaf", dane.leaf.certificate},
        {"old", dane.old.certificate}, {"self", dane.self.certificate}, {"below", dane.below.certificate},
        {"other", dane.other.certificate},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++)
        if (strcmp(who, table[i].who) == 0)
            return table[i].certificate;
    certificate_must(false);
    return NULL;
}

static size_t write_data(const char *who, int selector, int matching, unsigned char *to)
{
    unsigned char *der = NULL;
    unsigned length = 0;
    int size = selector == 0 ? i2d_X509(certificate_of(who), &der) : i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate_of(who)), &der);

    certificate_must(size > 0 && size < RECORD_SIZE - 1);
    if (matching == 0)
        memcpy(to, der, length = (unsigned)size);
    else
        EVP_Digest(der, (size_t)size, to, &length, matching == 1 ? EVP_sha256() : EVP_sha512(), NULL);
    OPENSSL_free(der);
    return length;
}

/* "3 1 1 leaf"; with a sign behind it: ~ another last byte, - without it, + one more. */
static struct dns_tlsa record(const char *text)
{
    static unsigned char room[2 * RECORDS_MOST][RECORD_SIZE];
    static unsigned next;
    unsigned char *data = room[next++ % TEST_COUNT(room)];
    unsigned usage = 0, selector = 0, matching = 0;
    char who[20] = "", sign = ' ';
    size_t length;

    certificate_must(sscanf(text, "%u %u %u %19[a-z]%c", &usage, &selector, &matching, who, &sign) >= 4);
    length = write_data(who, (int)selector, (int)matching, data);
    data[length - 1] ^= sign == '~' ? 1 : 0;
    data[length] = 0;
    length = sign == '-' ? length - 1 : sign == '+' ? length + 1 : length;
    return (struct dns_tlsa){(unsigned char)usage, (unsigned char)selector, (unsigned char)matching, {(const char *)data, length}};
}

static void records_that_can_be_used(void)
{
    static const struct {
        const char *record;
        bool good;
    } table[] = {
        {"3 0 0 leaf", true}, {"3 0 1 leaf", true}, {"3 0 2 leaf", true}, {"3 1 0 leaf", true}, {"3 1 1 leaf", true}, {"3 1 2 leaf", true},
        {"2 0 0 root", true}, {"2 0 1 root", true}, {"2 0 2 root", true}, {"2 1 0 root", true}, {"2 1 1 root", true}, {"2 1 2 root", true},
        {"0 0 1 root", false}, {"0 1 1 root", false}, {"1 0 1 leaf", false}, {"1 1 1 leaf", false}, {"1 0 0 leaf", false},
        {"4 1 1 leaf", false}, {"255 1 1 leaf", false}, {"3 2 1 leaf", false}, {"3 255 1 leaf", false}, {"3 1 3 leaf", false},
        {"3 1 255 leaf", false}, {"3 1 1 leaf-", false}, {"3 1 1 leaf+", false}, {"3 1 2 leaf-", false}, {"3 1 2 leaf+", false},
        {"3 0 0 leaf-", false}, {"3 0 0 leaf+", false}, {"3 1 0 leaf-", false}, {"3 1 0 leaf+", false}, {"2 0 0 root-", false},
    };
    struct dns_tlsa r;

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        r = record(table[i].record);
        if (!check(tls_can_use(&r) == table[i].good))
            printf("# %s\n", table[i].record);
    }
    /* A digest where a certificate should be, a certificate where a key should be, nothing. */
    r = record("3 0 1 leaf");
    r.matching = 0;
    check(!tls_can_use(&r));
    r = record("3 0 0 leaf");
    r.selector = 1;
    check(!tls_can_use(&r));
    for (unsigned char matching = 0; matching < 4; matching++)
        check(!tls_can_use(&(struct dns_tlsa){3, 1, matching, STR("")}));
    check(ERR_peek_error() == 0);
}

static char asked_for[100];

static void note_server_name(SSL *ssl)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    snprintf(asked_for, sizeof asked_for, "%s", name != NULL ? name : "(none)");
}

static void note_server_name_in_1_2(SSL *ssl)
{
    note_server_name(ssl);
    only_1_2(ssl);
}

static const char no_match[] = "no TLSA record matches the certificate", no_record[] = "no TLSA record can be used";

/* The client trusts root all the time: that must not count. */
static const struct {
    const char *server, *records[RECORDS_MOST];
    const char *host, *also; /* NULL: mx.example.org, none */
    const char *problem;     /* NULL: good */
    enum tls_trouble trouble;
} dane_table[] = {
    /* The server's own: neither its name nor its dates count. */
    {"self", {"3 1 1 self"}, NULL, NULL, NULL, 0},
    {"self", {"3 1 2 self"}, NULL, NULL, NULL, 0},
    {"self", {"3 1 0 self"}, NULL, NULL, NULL, 0},
    {"self", {"3 0 1 self"}, NULL, NULL, NULL, 0},
    {"self", {"3 0 2 self"}, NULL, NULL, NULL, 0},
    {"self", {"3 0 0 self"}, NULL, NULL, NULL, 0},
    {"leaf", {"3 1 1 leaf"}, NULL, NULL, NULL, 0},
    {"leaf", {"3 1 1 leaf"}, "mx.example.org.", NULL, NULL, 0},
    {"old+root", {"3 1 1 old"}, NULL, NULL, NULL, 0},
    {"leaf", {"3 1 1 leaf~"}, NULL, NULL, no_match, TLS_TROUBLE_TLSA},
    {"leaf", {"3 1 2 leaf~"}, NULL, NULL, no_match, TLS_TROUBLE_TLSA},
    {"leaf", {"3 0 1 leaf~"}, NULL, NULL, no_match, TLS_TROUBLE_TLSA},
    {"leaf", {"3 0 0 other"}, NULL, NULL, no_match, TLS_TROUBLE_TLSA},
    {"leaf", {"3 1 0 other"}, NULL, NULL, no_match, TLS_TROUBLE_TLSA},
    {"leaf", {"3 1 1 other"}, NULL, "mx.example.org", no_match, TLS_TROUBLE_TLSA},
    {"leaf+root", {"3 1 1 root"}, NULL, NULL, no_match, TLS_TROUBLE_TLSA},
    {"self", {"2 1 1 self"}, NULL, NULL, no_match, TLS_TROUBLE_TLSA},
    /* An authority of the server's chain, which it sends. */
    {"leaf+root", {"2 0 1 root"}, NULL, NULL, NULL, 0},
    {"leaf+root", {"2 0 2 root"}, NULL, NULL, NULL, 0},
    {"leaf+root", {"2 0 0 root"}, NULL, NULL, NULL, 0},
    {"leaf+root", {"2 1 1 root"}, NULL, NULL, NULL, 0},
    {"leaf+root", {"2 1 2 root"}, NULL, NULL, NULL, 0},
    {"leaf+root", {"2 1 0 root"}, NULL, NULL, NULL, 0},
    {"below+middle", {"2 1 1 middle"}, NULL, NULL, NULL, 0},
    {"below+middle", {"2 0 1 middle"}, NULL, NULL, NULL, 0},
    {"leaf+root", {"2 0 1 root~"}, NULL, NULL, no_match, TLS_TROUBLE_TLSA},
    {"leaf+root", {"2 1 1 other"}, NULL, NULL, no_match, TLS_TROUBLE_TLSA},
    {"leaf+root", {"2 0 0 other"}, NULL, NULL, no_match, TLS_TROUBLE_TLSA},
    {"old+root", {"2 0 1 root"}, NULL, NULL, "certificate has expired", TLS_TROUBLE_EXPIRED},
    {"leaf+root", {"2 0 1 root"}, "a.example", NULL, "certificate is not for a.example", TLS_TROUBLE_NAME},
    {"leaf+root", {"2 0 1 root"}, "a.example", "b.example", "certificate is not for a.example", TLS_TROUBLE_NAME},
    {"leaf+root", {"2 0 1 root"}, "a.example", "mx.example.org", NULL, 0},
    {"leaf+root", {"2 0 1 root"}, "a.example", "MX.example.org.", NULL, 0},
    {"leaf+root", {"2 0 1 root"}, "a.example", ".example.org", "certificate is not for a.example", TLS_TROUBLE_NAME},
    /* It does not send it: only all of it helps. */
    {"leaf", {"2 0 1 root"}, NULL, NULL, no_match, TLS_TROUBLE_TLSA},
    {"leaf", {"2 1 1 root"}, NULL, NULL, no_match, TLS_TROUBLE_TLSA},
    {"leaf", {"2 0 0 root"}, NULL, NULL, NULL, 0},
    {"leaf", {"2 1 0 root"}, NULL, NULL, NULL, 0},
    {"leaf", {"2 1 0 root"}, "a.example", NULL, "certificate is not for a.example", TLS_TROUBLE_NAME},
    {"below", {"2 0 0 middle"}, NULL, NULL, NULL, 0},
    {"below", {"2 0 1 middle"}, NULL, NULL, no_match, TLS_TROUBLE_TLSA},
    /* Several: one is enough. */
    {"leaf", {"3 1 1 other", "3 1 1 leaf"}, NULL, NULL, NULL, 0},
    {"leaf", {"3 1 1 leaf", "2 1 1 other", "3 0 1 other"}, NULL, NULL, NULL, 0},
    {"leaf+root", {"3 1 1 other", "3 1 2 other", "2 1 1 root"}, NULL, NULL, NULL, 0},
    {"old+root", {"2 1 1 root", "3 1 1 old"}, "a.example", NULL, NULL, 0},
    {"leaf", {"3 1 1 other", "3 0 1 other", "2 1 1 other"}, NULL, NULL, no_match, TLS_TROUBLE_TLSA},
    /* The strongest digest of a kind counts (RFC 7671 section 9). */
    {"leaf", {"3 1 1 leaf", "3 1 2 leaf~"}, NULL, NULL, no_match, TLS_TROUBLE_TLSA},
    {"leaf", {"3 0 1 leaf", "3 1 2 leaf~"}, NULL, NULL, NULL, 0},
    /* What cannot be used counts for nothing, also where a CA is content. */
    {"leaf", {"1 1 1 leaf", "0 0 1 root", "3 1 1 leaf"}, NULL, NULL, NULL, 0},
    {"leaf", {"3 1 9 leaf", "3 1 1 leaf-", "3 1 1 leaf"}, NULL, NULL, NULL, 0},
    {"leaf", {"1 1 1 leaf", "0 0 1 root", "3 1 1 other"}, NULL, NULL, no_match, TLS_TROUBLE_TLSA},
    {"leaf", {"1 1 1 leaf", "0 0 1 root"}, NULL, NULL, no_record, TLS_TROUBLE_TLSA},
    {"leaf", {"3 0 0 leaf-", "3 1 0 leaf+", "2 0 0 root-"}, NULL, NULL, no_record, TLS_TROUBLE_TLSA},
    {"leaf", {"3 1 1 leaf-"}, NULL, NULL, no_record, TLS_TROUBLE_TLSA},
    {"leaf", {NULL}, NULL, NULL, no_record, TLS_TROUBLE_TLSA},
};

static struct meeting meet_by_dane(size_t row, bool in_1_2)
{
    struct dns_tlsa records[RECORDS_MOST];
    struct tls_wanted wanted = {.proof = TLS_PROOF_DANE, .host = "mx.example.org", .also = {dane_table[row].also}, .tlsa = records};
    struct meeting m = {.wanted = &wanted, .prepare = in_1_2 ? note_server_name_in_1_2 : note_server_name};

    if (dane_table[row].host != NULL)
        wanted.host = dane_table[row].host;
    while (wanted.tlsa_count < RECORDS_MOST && dane_table[row].records[wanted.tlsa_count] != NULL) {
        records[wanted.tlsa_count] = record(dane_table[row].records[wanted.tlsa_count]);
        wanted.tlsa_count++;
    }
    meet(&m);
    meeting_done(&m);
    return m;
}

static void check_by_dane(size_t row, bool in_1_2)
{
    bool good = dane_table[row].problem == NULL;
    struct meeting m = meet_by_dane(row, in_1_2);

    check(m.started == good);
    check_text(m.problem, good ? "" : dane_table[row].problem);
    check_number(m.trouble, dane_table[row].trouble);
    check_number(m.fault, good ? STREAM_FINE : STREAM_TLS);
    if (good) {
        check_number(m.info.peer, TLS_PEER_DANE);
        check_text(m.info.peer_problem, "");
        check_number(m.info.peer_trouble, TLS_TROUBLE_NONE);
    }
    check_text(asked_for, dane_table[row].host != NULL && strcmp(dane_table[row].host, "a.example") == 0 ? "a.example" : "mx.example.org");
}

static void proof_by_dane(void)
{
    for (size_t i = 0; i < TEST_COUNT(dane_table); i++) {
        int before = test_state.failures;

        set_up(TLS_VERSION_1_2, "", dane_table[i].server, "root.crt");
        check_by_dane(i, false);
        check_by_dane(i, true);
        if (test_state.failures > before)
            printf("# row %zu: %s, %s\n", i, dane_table[i].server, dane_table[i].records[0] != NULL ? dane_table[i].records[0] : "nothing");
    }
}

/* The client of one connection by DANE is as before for the next. */
static void proof_by_dane_is_of_one_connection(void)
{
    set_up(TLS_VERSION_1_2, "", "self", "root.crt");
    check_number(meet_by_dane(0, false).info.peer, TLS_PEER_DANE);
    check(!met("mx.example.org", true, NULL).started);
    check_number(met("mx.example.org", false, NULL).info.peer, TLS_PEER_UNVERIFIED);
}

static void other_names_a_certificate_may_have(void)
{
    static const struct {
        const char *host, *also[TLS_NAMES_MOST - 1];
        bool good;
    } table[] = {
        {"a.example", {NULL, NULL}, false},
        {"a.example", {"b.example", NULL}, false},
        {"a.example", {"mx.example.org", NULL}, true},
        {"a.example", {"b.example", "mx.example.org"}, true},
        {"a.example", {NULL, "mx.example.org."}, true},
        {"mx.example.org", {"b.example", "192.0.2.1"}, true},
        {"mx.example.org", {"", ".example"}, true},
        {"a.example", {"", ".example.org"}, false},
        {"", {"mx.example.org", NULL}, true},
        {"192.0.2.1", {"mx.example.org", NULL}, false},
    };

    set_up(TLS_VERSION_1_2, "", "good", "root.crt");
    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct tls_wanted wanted = {.proof = TLS_PROOF_NAME, .host = table[i].host, .also = {table[i].also[0], table[i].also[1]}};
        struct meeting m = {.wanted = &wanted};

        meet(&m);
        meeting_done(&m);
        if (check(m.started == table[i].good) + check_number(m.trouble, table[i].good ? TLS_TROUBLE_NONE : TLS_TROUBLE_NAME) < 2)
            printf("# row %zu\n", i);
    }
}

static void the_whole_chain_is_sent(void)
{
    static const struct wish between = {.subject = "between", .is_authority = true};
    static const struct wish leaf = {.subject = "leaf", .names = "DNS:mx.example.org"};
    struct authority middle = certificate_make(&between, &root), end = certificate_make(&leaf, &middle);

    certificate_write(&place, "chained", &end, &middle);
    certificate_write(&place, "unchained", &end, NULL);
    set_up(TLS_VERSION_1_2, "", "chained", "root.crt");
    check(met("mx.example.org", true, NULL).started);
    check(met("mx.example.org", true, only_1_2).started);
    set_up(TLS_VERSION_1_2, "", "unchained", "root.crt");
    check_text(met("mx.example.org", true, NULL).problem, "certificate not trusted: unable to get local issuer certificate");
    certificate_done(&middle);
    certificate_done(&end);
}

static void show(SSL *ssl, const char *name)
{
    char file[300];

    snprintf(file, sizeof file, "%s/%s.crt", place.folder, name);
    certificate_must(SSL_use_certificate_file(ssl, file, SSL_FILETYPE_PEM) == 1);
    snprintf(file, sizeof file, "%s/%s.key", place.folder, name);
    certificate_must(SSL_use_PrivateKey_file(ssl, file, SSL_FILETYPE_PEM) == 1);
}

static void show_good(SSL *ssl)
{
    show(ssl, "client");
}

static void show_expired(SSL *ssl)
{
    show(ssl, "client-old");
}

static void show_foreign(SSL *ssl)
{
    show(ssl, "client-foreign");
}

static void show_good_in_1_2(SSL *ssl)
{
    only_1_2(ssl);
    SSL_clear_options(ssl, SSL_OP_NO_TICKET);
    show(ssl, "client");
}

static void certificates_of_clients_are_looked_at(void)
{
    static const struct wish good = {.subject = "client"}, old = {.subject = "client", .from = -10, .until = -1};
    static const struct {
        void (*prepare)(SSL *ssl);
        enum tls_peer peer;
        const char *problem;
    } table[] = {
        {NULL, TLS_PEER_NONE, ""},
        {only_1_2, TLS_PEER_NONE, ""},
        {show_good, TLS_PEER_VERIFIED, ""},
        {show_good_in_1_2, TLS_PEER_VERIFIED, ""},
        {show_expired, TLS_PEER_UNVERIFIED, "certificate has expired"},
        {show_foreign, TLS_PEER_UNVERIFIED, "certificate not trusted: unable to get local issuer certificate"},
    };

    issue("client", &good, &root);
    issue("client-old", &old, &root);
    issue("client-foreign", &good, &other_root);
    set_up(TLS_VERSION_1_2, path_of("root.crt"), "good", "root.crt");
    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct meeting m = {.prepare = table[i].prepare}, again;

        meet(&m);
        check(m.started && m.served);
        check_number(m.server_info.peer, table[i].peer);
        check_text(m.server_info.peer_problem, table[i].problem);
        /* What was found out stays in the ticket. */
        again = (struct meeting){.prepare = table[i].prepare, .resume = m.session};
        meet(&again);
        check(again.started && (again.server_info.resumed || table[i].prepare == only_1_2));
        check_number(again.server_info.peer, table[i].peer);
        check_text(again.server_info.peer_problem, table[i].problem);
        meeting_done(&m);
        meeting_done(&again);
    }
    /* Who was not told to ask does not. */
    set_up(TLS_VERSION_1_2, "", "good", "root.crt");
    check_number(met("mx.example.org", true, show_good).server_info.peer, TLS_PEER_NONE);
}

static void with_tickets_in_1_2(SSL *ssl)
{
    only_1_2(ssl);
    SSL_clear_options(ssl, SSL_OP_NO_TICKET);
}

/* Makes time pass for the keys of tickets. */
static void grow_older(int64_t ms)
{
    server->tickets.current.made -= ms;
    server->tickets.previous.made -= ms;
}

static void tickets_resume_sessions(void)
{
    static void (*const ways[])(SSL *) = {NULL, with_tickets_in_1_2};
    const int64_t span = (int64_t)TLS_TICKET_HOURS * 3600 * 1000;

    for (size_t i = 0; i < TEST_COUNT(ways); i++) {
        struct meeting first = {.prepare = ways[i]}, soon = first, later = first, late = first;

        set_up(TLS_VERSION_1_2, "", "good", "root.crt");
        meet(&first);
        check(first.started && !first.info.resumed && !first.server_info.resumed);
        soon.resume = later.resume = late.resume = first.session;
        meet(&soon);
        check(soon.started && soon.info.resumed && soon.server_info.resumed);
        check(SSL_SESSION_get_max_early_data(first.session) == 0);
        grow_older(span + 1);
        meet(&later);
        check(later.started && later.info.resumed && later.server_info.resumed);
        grow_older(2 * span);
        meet(&late);
        check(late.started && !late.info.resumed && !late.server_info.resumed);
        meeting_done(&first);
        meeting_done(&soon);
        meeting_done(&later);
        meeting_done(&late);
    }
    /* Another server has other keys. */
    struct meeting here = {0}, elsewhere = {0};
    set_up(TLS_VERSION_1_2, "", "good", "root.crt");
    meet(&here);
    set_up(TLS_VERSION_1_2, "", "good", "root.crt");
    elsewhere.resume = here.session;
    meet(&elsewhere);
    check(elsewhere.started && !elsewhere.info.resumed);
    meeting_done(&here);
    meeting_done(&elsewhere);
}

static void ticket_keys_rotate(void)
{
    const int64_t span = (int64_t)TLS_TICKET_HOURS * 3600 * 1000;
    struct tls_tickets t;
    struct tls_ticket_key first, second, third, found;
    bool old = true;

    tls_tickets_init(&t, 1000);
    tls_tickets_current(&t, 1000, &first);
    tls_tickets_current(&t, 1000 + span - 1, &second);
    check(memcmp(first.name, second.name, TICKET_NAME) == 0);
    check(tls_tickets_find(&t, 1000 + span - 1, first.name, &found, &old) && !old);
    tls_tickets_current(&t, 1000 + span, &second);
    check(memcmp(first.name, second.name, TICKET_NAME) != 0 && memcmp(first.cipher, second.cipher, TICKET_SECRET) != 0 &&
          memcmp(first.mac, second.mac, TICKET_SECRET) != 0);
    check(tls_tickets_find(&t, 1000 + span, second.name, &found, &old) && !old);
    check(tls_tickets_find(&t, 1000 + 2 * span - 1, first.name, &found, &old) && old && memcmp(found.mac, first.mac, TICKET_SECRET) == 0);
    check(!tls_tickets_find(&t, 1000 + 2 * span, first.name, &found, &old));
    tls_tickets_current(&t, 1000 + 2 * span, &third);
    check(memcmp(second.name, third.name, TICKET_NAME) != 0);
    check(tls_tickets_find(&t, 1000 + 2 * span, second.name, &found, &old) && old);
    /* Nobody came for a day and a half. */
    check(!tls_tickets_find(&t, 1000 + 5 * span, third.name, &found, &old));
    check(!t.has_previous);
    tls_tickets_done(&t);
}

static void bindings_are_the_same_at_both_ends(void)
{
    static const unsigned char zeros[TLS_BINDING];
    struct meeting m, other;

    set_up(TLS_VERSION_1_2, "", "good", "root.crt");
    m = met("mx.example.org", true, NULL);
    other = met("mx.example.org", true, NULL);
    check(m.binds && m.server_binds && memcmp(m.binding, m.server_binding, TLS_BINDING) == 0);
    check(memcmp(m.binding, m.exported, TLS_BINDING) == 0); /* RFC 9266 section 4.1 */
    check(memcmp(m.binding, zeros, TLS_BINDING) != 0 && memcmp(m.binding, other.binding, TLS_BINDING) != 0);
    m = met("mx.example.org", true, only_1_2);
    check(m.started && !m.binds && !m.server_binds);
}

/* The end of the server's in a case that plays the client itself. */
struct guest {
    struct meeting meeting;
    struct stream s;
    pthread_t thread;
};

static void guest_open(struct guest *g, void (*prepare)(SSL *))
{
    struct tls *tls;

    *g = (struct guest){.meeting = {.fd = -1}};
    open_pair(&g->s, &g->meeting.fd);
    pthread_create(&g->thread, NULL, serve, &g->meeting);
    tls = tls_connect(client, g->s.fd, &anybody);
    if (prepare != NULL)
        prepare(tls->ssl);
    check(stream_start_tls(&g->s, &tls));
}

static void guest_close(struct guest *g)
{
    stream_done(&g->s);
    pthread_join(g->thread, NULL);
}

static void renegotiation_is_refused(void)
{
    struct guest g;
    char byte;
    size_t n;
    int result;

    set_up(TLS_VERSION_1_2, "", "good", "root.crt");
    guest_open(&g, only_1_2);
    SSL_clear_options(g.s.tls->ssl, SSL_OP_NO_RENEGOTIATION);
    check(SSL_renegotiate(g.s.tls->ssl) == 1);
    ERR_clear_error();
    do {
        result = SSL_read_ex(g.s.tls->ssl, &byte, 1, &n);
        poll(NULL, 0, 1);
    } while (result != 1 && SSL_get_error(g.s.tls->ssl, result) == SSL_ERROR_WANT_READ);
    check_number(ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
    ERR_clear_error();
    guest_close(&g);
    check(g.meeting.served);
    check_text(g.meeting.server_problem, "the peer refused: handshake failure");
}

/* Carries bytes between two sockets, one at a time. */
static void *carry(void *argument)
{
    const int *fds = argument;
    struct pollfd p[2] = {{.fd = fds[0], .events = POLLIN}, {.fd = fds[1], .events = POLLIN}};
    char byte;

    for (;;) {
        poll(p, 2, -1);
        for (int i = 0; i < 2; i++)
            if (p[i].revents != 0 && (recv(fds[i], &byte, 1, 0) <= 0 || send(fds[1 - i], &byte, 1, MSG_NOSIGNAL) <= 0)) {
                shutdown(fds[0], SHUT_RDWR);
                shutdown(fds[1], SHUT_RDWR);
                return NULL;
            }
    }
}

static void bytes_may_come_one_at_a_time(void)
{
    static void (*const ways[])(SSL *) = {NULL, only_1_2};

    set_up(TLS_VERSION_1_2, "", "good", "root.crt");
    for (size_t i = 0; i < TEST_COUNT(ways); i++) {
        int near[2], far[2], middle[2];
        struct meeting m = {0};
        struct stream s;
        struct tls *tls;
        pthread_t serving, carrying;

        certificate_must(socketpair(AF_UNIX, SOCK_STREAM, 0, near) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, far) == 0);
        fcntl(near[0], F_SETFL, O_NONBLOCK);
        fcntl(far[0], F_SETFL, O_NONBLOCK);
        middle[0] = near[1];
        middle[1] = far[1];
        m.fd = far[0];
        pthread_create(&serving, NULL, serve, &m);
        pthread_create(&carrying, NULL, carry, middle);
        open_stream(&s, near[0]);
        tls = tls_connect(client, s.fd, &proven);
        if (ways[i] != NULL)
            ways[i](tls->ssl);
        if (check(stream_start_tls(&s, &tls)))
            look_at(&m, &s);
        check(m.started);
        stream_finish(&s, clock_now() + 1000);
        stream_done(&s);
        pthread_join(serving, NULL);
        pthread_join(carrying, NULL);
        close(near[1]);
        close(far[1]);
        meeting_done(&m);
    }
}

enum { LARGE = 3000000 };

static char pattern(size_t i)
{
    return (char)(i * 31 % 251);
}

static void put_pattern(struct stream *s)
{
    char piece[777];

    for (size_t at = 0; at < LARGE && s->fault == STREAM_FINE;) {
        size_t length = LARGE - at < sizeof piece ? LARGE - at : sizeof piece;

        for (size_t i = 0; i < length; i++)
            piece[i] = pattern(at + i);
        stream_put(s, (struct str){piece, length});
        at += length;
    }
    stream_flush(s);
}

static bool get_pattern(struct stream *s)
{
    size_t at = 0;
    bool same = true;

    while (at < LARGE && same && stream_fill(s, 100000)) {
        struct str input = stream_input(s);

        for (size_t i = 0; i < input.length && same; i++)
            same = input.data[i] == pattern(at + i);
        at += input.length;
        stream_consume(s, input.length);
    }
    return same && at == LARGE;
}

static void *answer_at_length(void *argument)
{
    struct meeting *m = argument;
    struct stream s;
    struct tls *tls = tls_accept(server, m->fd);

    open_stream(&s, m->fd);
    s.deadline = clock_now() + 20000;
    m->served = stream_start_tls(&s, &tls) && get_pattern(&s);
    put_pattern(&s);
    stream_finish(&s, clock_now() + 5000);
    stream_done(&s);
    return NULL;
}

static void much_goes_both_ways(void)
{
    static void (*const ways[])(SSL *) = {NULL, only_1_2};

    set_up(TLS_VERSION_1_2, "", "good", "root.crt");
    for (size_t i = 0; i < TEST_COUNT(ways); i++) {
        struct meeting m = {0};
        struct stream s;
        struct tls *tls;
        pthread_t thread;

        open_pair(&s, &m.fd);
        s.deadline = clock_now() + 20000;
        pthread_create(&thread, NULL, answer_at_length, &m);
        tls = tls_connect(client, s.fd, &proven);
        if (ways[i] != NULL)
            ways[i](tls->ssl);
        check(stream_start_tls(&s, &tls));
        put_pattern(&s);
        check(get_pattern(&s));
        check(!stream_fill(&s, 100));
        check_number(s.fault, STREAM_CLOSED);
        check((SSL_get_shutdown(s.tls->ssl) & SSL_RECEIVED_SHUTDOWN) != 0);
        stream_done(&s);
        pthread_join(thread, NULL);
        check(m.served);
    }
}

/* One record of 16 KB, and reads that take less. */
static void decrypted_bytes_are_not_forgotten(void)
{
    static char block[16000];
    struct guest g;
    size_t seen = 0;

    set_up(TLS_VERSION_1_2, "", "good", "root.crt");
    guest_open(&g, NULL);
    memset(block, 'x', sizeof block);
    stream_put(&g.s, (struct str){block, sizeof block});
    while (seen < sizeof block && check(stream_fill(&g.s, 100))) {
        seen += stream_input(&g.s).length;
        stream_consume(&g.s, stream_input(&g.s).length);
    }
    check_number(seen, sizeof block);
    guest_close(&g);
}

static void what_came_before_tls_is_a_fault(void)
{
    struct stream s;
    struct tls *tls;
    struct buf got = {0};
    int fd;

    set_up(TLS_VERSION_1_2, "", "good", "root.crt");
    open_pair(&s, &fd);
    pair_send(fd, STR("STARTTLS\r\nRSET\r\n"));
    check(stream_fill(&s, 100));
    stream_consume(&s, strlen("STARTTLS\r\n"));
    stream_put(&s, STR("220 go\r\n"));
    tls = tls_accept(server, s.fd);
    check(!stream_start_tls(&s, &tls));
    check(tls == NULL && s.tls == NULL);
    check_number(s.fault, STREAM_TLS);
    check_text(stream_fault_text(&s), "plain text came where TLS should begin");
    /* It can still be said in plain text. */
    s.fault = STREAM_FINE;
    stream_put(&s, STR("421 no\r\n"));
    check(stream_flush(&s));
    pair_receive(fd, 0, &got);
    check_text(buf_text(&got), "220 go\r\n421 no\r\n");
    buf_done(&got);
    stream_done(&s);
    close(fd);
}

static enum stream_fault try_to_accept(struct str said, bool close_then, int64_t patience, char *text, size_t text_size)
{
    enum stream_fault fault;
    struct stream s;
    struct tls *tls;
    int fd;

    open_pair(&s, &fd);
    s.deadline = clock_now() + patience;
    pair_send(fd, said);
    if (close_then)
        shutdown(fd, SHUT_WR);
    tls = tls_accept(server, s.fd);
    check(!stream_start_tls(&s, &tls));
    check(!stream_fill(&s, 100) && !stream_flush(&s));
    fault = s.fault;
    snprintf(text, text_size, "%s", stream_fault_text(&s));
    stream_finish(&s, clock_now() + 10);
    stream_done(&s);
    close(fd);
    return fault;
}

static const char hello_start[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

static void peers_that_are_none(void)
{
    char text[TLS_ERROR_SIZE], noise[5000];
    int64_t before;

    set_up(TLS_VERSION_1_2, "", "good", "root.crt");
    check_number(try_to_accept(STR("EHLO client.example\r\n"), false, PATIENCE_MS, text, sizeof text), STREAM_TLS);
    check_text(text, "the peer does not speak TLS");
    check_number(try_to_accept(STR("GET / HTTP/1.1\r\n\r\n"), false, PATIENCE_MS, text, sizeof text), STREAM_TLS);
    check_text(text, "the peer does not speak TLS");
    for (unsigned seed = 1; seed < 200; seed++) {
        enum stream_fault fault;

        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (char)(rand_r(&seed) >> 8);
        memcpy(noise, hello_start, seed % sizeof hello_start);
        fault = try_to_accept((struct str){noise, sizeof noise}, true, PATIENCE_MS, text, sizeof text);
        check(fault == STREAM_TLS || fault == STREAM_CLOSED);
    }
    check_number(try_to_accept(STR(hello_start), true, PATIENCE_MS, text, sizeof text), STREAM_CLOSED);
    check_number(try_to_accept(STR(""), true, PATIENCE_MS, text, sizeof text), STREAM_CLOSED);
    before = clock_now();
    check_number(try_to_accept(STR(""), false, 50, text, sizeof text), STREAM_TIMEOUT);
    check_number(try_to_accept(STR(hello_start), false, 50, text, sizeof text), STREAM_TIMEOUT);
    check_text(text, "timed out");
    check(clock_now() >= before + 100 && clock_now() < before + 2000);
}

static void servers_that_are_none(void)
{
    struct stream s;
    struct tls *tls;
    int fd;

    set_up(TLS_VERSION_1_2, "", "good", "root.crt");
    open_pair(&s, &fd);
    pair_send(fd, STR("220 mx.example.org ESMTP\r\n"));
    tls = tls_connect(client, s.fd, &proven);
    check(!stream_start_tls(&s, &tls));
    check_number(s.fault, STREAM_TLS);
    check_text(stream_fault_text(&s), "the peer does not speak TLS");
    check_number(tls_trouble(s.tls), TLS_TROUBLE_NONE);
    stream_done(&s);
    close(fd);
}

/* Without a handler SIGPIPE would end the test. */
static void a_peer_that_vanished_is_no_signal(void)
{
    struct guest g;
    int fd;

    set_up(TLS_VERSION_1_2, "", "good", "root.crt");
    guest_open(&g, NULL);
    fd = dup(g.s.fd);
    shutdown(fd, SHUT_RDWR);
    pthread_join(g.thread, NULL);
    check_number(g.meeting.server_fault, STREAM_CLOSED);
    stream_put(&g.s, STR("x"));
    check(!stream_flush(&g.s));
    check_number(g.s.fault, STREAM_CLOSED);
    stream_finish(&g.s, clock_now() + 10);
    stream_done(&g.s);
    close(fd);
}

static atomic_bool flooding;

static void *flood(void *argument)
{
    struct guest *g = argument;

    while (atomic_load(&flooding) && SSL_key_update(g->s.tls->ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1)
        if (SSL_do_handshake(g->s.tls->ssl) != 1)
            poll(NULL, 0, 1);
    ERR_clear_error();
    return NULL;
}

static void *wait_in_vain(void *argument)
{
    struct meeting *m = argument;
    struct stream s;
    struct tls *tls = tls_accept(server, m->fd);

    open_stream(&s, m->fd);
    m->served = stream_start_tls(&s, &tls);
    s.deadline = clock_now() + 100;
    check(!stream_fill(&s, 100));
    m->server_fault = s.fault;
    stream_done(&s);
    return NULL;
}

static void records_without_content_do_not_move_the_deadline(void)
{
    struct guest g = {.meeting = {.fd = -1}};
    struct tls *tls;
    pthread_t flooder;
    int64_t before = clock_now();

    set_up(TLS_VERSION_1_3, "", "good", "root.crt");
    open_pair(&g.s, &g.meeting.fd);
    pthread_create(&g.thread, NULL, wait_in_vain, &g.meeting);
    tls = tls_connect(client, g.s.fd, &anybody);
    check(stream_start_tls(&g.s, &tls));
    atomic_store(&flooding, true);
    pthread_create(&flooder, NULL, flood, &g);
    pthread_join(g.thread, NULL);
    atomic_store(&flooding, false);
    pthread_join(flooder, NULL);
    check(g.meeting.served);
    check(g.meeting.server_fault == STREAM_TIMEOUT || g.meeting.server_fault == STREAM_TLS);
    check(clock_now() < before + 2000);
    stream_done(&g.s);
}

static mode_t mode_of(const char *path)
{
    struct stat facts;

    return stat(path, &facts) == 0 ? facts.st_mode & 07777 : 0;
}

static void a_certificate_of_our_own(void)
{
    char error[TLS_ERROR_SIZE] = "", host[300], before[8192] = "", after[8192] = "";
    FILE *file;

    check(tls_make_self_signed("mx.example.org", path_of("new/ssl/server.crt"), path_of("new/ssl/server.key"), error, sizeof error));
    check_text(error, "");
    check_number(mode_of(path_of("new")), 0700);
    check_number(mode_of(path_of("new/ssl")), 0700);
    check_number(mode_of(path_of("new/ssl/server.crt")), 0644);
    check_number(mode_of(path_of("new/ssl/server.key")), 0600);
    set_up(TLS_VERSION_1_2, "", "new/ssl/server", "new/ssl/server.crt");
    check(met("mx.example.org", true, NULL).started);
    check_text(met("mx.example.org", false, NULL).subject, "mx.example.org");
    check(!met("mx.example.com", true, NULL).started);
    /* What is there stays, and nothing is left half done. */
    file = fopen(path_of("new/ssl/server.key"), "r");
    (void)!fread(before, 1, sizeof before - 1, file);
    fclose(file);
    check(!tls_make_self_signed("b.example", path_of("new/ssl/b.crt"), path_of("new/ssl/server.key"), error, sizeof error));
    check_has(error, "server.key: File exists");
    check(!tls_make_self_signed("b.example", path_of("new/ssl/server.crt"), path_of("new/ssl/b.key"), error, sizeof error));
    check_has(error, "server.crt: File exists");
    check(access(path_of("new/ssl/b.crt"), F_OK) != 0 && access(path_of("new/ssl/b.key"), F_OK) != 0);
    file = fopen(path_of("new/ssl/server.key"), "r");
    (void)!fread(after, 1, sizeof after - 1, file);
    fclose(file);
    check_text(after, before);
    /* Names as they come. */
    memset(host, 'a', sizeof host);
    snprintf(host + 60, sizeof host - 60, ".example,DNS:evil.example");
    check(tls_make_self_signed(host, path_of("long.crt"), path_of("long.key"), error, sizeof error));
    set_up(TLS_VERSION_1_2, "", "long", "long.crt");
    check(!met("evil.example", true, NULL).started);
    check(strlen(met("x", false, NULL).subject) == 64);
    check(tls_make_self_signed("192.0.2.1", path_of("address.crt"), path_of("address.key"), error, sizeof error));
    set_up(TLS_VERSION_1_2, "", "address", "address.crt");
    check(met("192.0.2.1", true, NULL).started);
}

static const struct test_case cases[] = {
    TEST_CASE(versions_and_ciphers),
    TEST_CASE(names_choose_certificates),
    TEST_CASE(certificates_change_while_sessions_go_on),
    TEST_CASE(wrong_files_are_told_by_name),
    TEST_CASE(without_certificates_there_is_no_handshake),
    TEST_CASE(expired_certificates_are_taken_with_a_warning),
    TEST_CASE(verification),
    TEST_CASE(records_that_can_be_used),
    TEST_CASE(proof_by_dane),
    TEST_CASE(proof_by_dane_is_of_one_connection),
    TEST_CASE(other_names_a_certificate_may_have),
    TEST_CASE(the_whole_chain_is_sent),
    TEST_CASE(certificates_of_clients_are_looked_at),
    TEST_CASE(tickets_resume_sessions),
    TEST_CASE(ticket_keys_rotate),
    TEST_CASE(bindings_are_the_same_at_both_ends),
    TEST_CASE(renegotiation_is_refused),
    TEST_CASE(bytes_may_come_one_at_a_time),
    TEST_CASE(much_goes_both_ways),
    TEST_CASE(decrypted_bytes_are_not_forgotten),
    TEST_CASE(what_came_before_tls_is_a_fault),
    TEST_CASE(peers_that_are_none),
    TEST_CASE(servers_that_are_none),
    TEST_CASE(a_peer_that_vanished_is_no_signal),
    TEST_CASE(records_without_content_do_not_move_the_deadline),
    TEST_CASE(a_certificate_of_our_own),
};

int main(int argc, char **argv)
{
    int result;

    make_world();
    make_dane();
    result = test_main(cases, TEST_COUNT(cases), argc, argv);
    tls_server_free(&server);
    tls_client_free(&client);
    dane_done();
    certificate_done(&root);
    certificate_done(&other_root);
    place_close(&place);
    return result;
}

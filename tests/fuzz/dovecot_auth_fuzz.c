/* A Dovecot that says anything, at once.  First octet: what our client says. */
#include "fuzz.h"

#include "base/clock.h"
#include "dovecot/auth.h"

#include "../unit/place.h"

#include <pthread.h>
#include <semaphore.h>
#include <sys/un.h>

enum { STEPS = 6, SECOND = 1000 };

static struct {
    struct place place;
    int listener;
    sem_t ready, done;
    struct str says;
    struct buf heard;
} server;

static void *serve(void *nothing)
{
    for (;;) {
        int fd;

        while (sem_wait(&server.ready) != 0)
            continue;
        fd = accept(server.listener, NULL, NULL);
        pair_send(fd, server.says);
        shutdown(fd, SHUT_WR);
        pair_receive(fd, -1, &server.heard);
        close(fd);
        sem_post(&server.done);
    }
    return nothing;
}

static void clear_place(void)
{
    place_close(&server.place);
}

static void start_once(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    pthread_t thread;

    if (server.listener != 0)
        return;
    place_open(&server.place);
    atexit(clear_place);
    server.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    str_copy(str_of(place_path(&server.place, "auth")), address.sun_path, sizeof address.sun_path);
    if (bind(server.listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(server.listener, 1) != 0)
        abort();
    sem_init(&server.ready, 0, 0);
    sem_init(&server.done, 0, 0);
    if (pthread_create(&thread, NULL, serve, NULL) != 0)
        abort();
}

static void check_step(const struct dovecot_auth *a, enum sasl_result result, const struct buf *challenge)
{
    struct str login = str_of(dovecot_auth_login(a));

    fuzz_check(!str_has_control(login) && login.length < DOVECOT_LOGIN);
    fuzz_check(result != SASL_DONE || login.length > 0);
    fuzz_check((result == SASL_UNAVAILABLE) == (dovecot_auth_reason(a)[0] != '\0') || result == SASL_MALFORMED);
    fuzz_check(challenge->length == 0 || result == SASL_CONTINUE);
    for (size_t i = 0; i < challenge->length; i++)
        fuzz_check(str_has(STR("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="), challenge->data[i]));
}

static void talk(struct dovecot_auth *a, unsigned options)
{
    static const struct str responses[] = {{NULL, 0}, {"", 0}, {"AGEAYg==", 8}, {"A\tB", 3}};
    const struct address peer = {.family = AF_INET}, local = {0};
    const struct dovecot_client client = {.peer = &peer, .local = &local, .session = "\t\n\001", .tls = (options & 16) != 0};
    struct buf challenge = {0};
    enum sasl_result result;
    size_t count;
    const struct dovecot_mechanism *m = dovecot_auth_mechanisms(a, &count);

    fuzz_check(count <= DOVECOT_MECHANISMS);
    for (int step = 0; step < STEPS; step++) {
        result = dovecot_auth_begin(a, count > 0 ? m[0].name : "PLAIN", &client, responses[options & 3], clock_now() + SECOND, &challenge);
        check_step(a, result, &challenge);
        for (int further = 0; result == SASL_CONTINUE && further < STEPS; further++) {
            result = dovecot_auth_continue(a, responses[(options >> 2 & 3)], clock_now() + SECOND, &challenge);
            check_step(a, result, &challenge);
        }
    }
    buf_done(&challenge);
}

/* All that we say is whole lines, each of a kind that we know. */
static void check_heard(void)
{
    struct str rest = buf_str(&server.heard), line;

    fuzz_check(str_ends(rest, STR("\n")) && !str_has(rest, '\0'));
    rest.length--;
    while (str_cut(&rest, '\n', &line))
        fuzz_check(str_starts(line, STR("VERSION\t")) || str_starts(line, STR("CPID\t")) || str_starts(line, STR("AUTH\t"))
                   || str_starts(line, STR("CONT\t")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dovecot_auth *a;
    char error[128] = "";

    if (size < 1)
        return 0;
    start_once();
    server.says = fuzz_input(data + 1, size - 1);
    buf_clear(&server.heard);
    sem_post(&server.ready);
    a = dovecot_auth_open(place_path(&server.place, "auth"), clock_now() + SECOND, error, sizeof error);
    if (a != NULL)
        talk(a, data[0]);
    else
        fuzz_check(error[0] != '\0');
    dovecot_auth_close(&a);
    while (sem_wait(&server.done) != 0)
        continue;
    check_heard();
    return 0;
}

#include "message/id.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum { PROCESS_BITS = 11, COUNT_BITS = 10 };

static void random_bytes(void *to, size_t size)
{
    if (getrandom(to, size, 0) != (ssize_t)size)
        abort();
}

/* The process's own bits, chosen once; bit 15 marks that they were. */
static int64_t process_bits(void)
{
    static _Atomic uint32_t chosen;
    uint32_t bits = atomic_load(&chosen), none = 0;

    if (bits == 0) {
        random_bytes(&bits, sizeof bits);
        bits = (bits & ((1U << PROCESS_BITS) - 1)) | 1U << 15;
        if (!atomic_compare_exchange_strong(&chosen, &none, bits))
            bits = none;
    }
    return bits & ((1U << PROCESS_BITS) - 1);
}

/* Milliseconds and count are one number that never repeats: more than 1024 ids in a millisecond borrow from the next. */
int64_t queue_id_new(void)
{
    static _Atomic int64_t last;
    int64_t seen = atomic_load(&last), next;

    do {
        int64_t now = clock_wall() << COUNT_BITS;

        next = now > seen ? now : seen + 1;
    } while (!atomic_compare_exchange_weak(&last, &seen, next));
    return (next >> COUNT_BITS) << (PROCESS_BITS + COUNT_BITS) | process_bits() << COUNT_BITS | (next & ((1 << COUNT_BITS) - 1));
}

void queue_id_text(int64_t id, char *to)
{
    snprintf(to, QUEUE_ID_SIZE, "%016" PRIx64, (uint64_t)id);
}

bool queue_id_parse(struct str text, int64_t *id)
{
    uint64_t value = 0;

    if (text.length != QUEUE_ID_SIZE - 1)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        char c = ascii_lower(text.data[i]);

        if (c >= '0' && c <= '9')
            value = value << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *id = (int64_t)value;
    return *id > 0;
}

void session_id_new(char *to)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
    unsigned char bytes[SESSION_ID_SIZE - 1];

    random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        to[i] = digits[bytes[i] % 32];
    to[sizeof bytes] = '\0';
}

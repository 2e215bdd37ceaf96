#include "directory/gate.h"

#include "base/clock.h"
#include "base/stop.h"

/* How often those who wait look whether the process stops. */
enum { LOOK_MS = 500 };

void gate_init(struct gate *g, int places, int wait_ms)
{
    lock_init(&g->lock);
    g->first = NULL;
    g->last = &g->first;
    g->places = places;
    g->wait_ms = wait_ms;
}

void gate_done(struct gate *g)
{
    lock_done(&g->lock);
}

static void leave_line(struct gate *g, const struct gate_waiting *me)
{
    struct gate_waiting **place = &g->first;

    while (*place != me)
        place = &(*place)->next;
    *place = me->next;
    if (g->last == &me->next)
        g->last = place;
}

/* Up to the gate's patience, or until the process stops. */
static void wait_in_line(struct gate *g, struct gate_waiting *me)
{
    const int64_t deadline = clock_now() + g->wait_ms;

    signal_init(&me->wake);
    *g->last = me;
    g->last = &me->next;
    while (!me->called && clock_now() < deadline && !stop_seen())
        (void)signal_wait(&me->wake, &g->lock, clock_earlier(deadline, clock_now() + LOOK_MS));
    if (!me->called)
        leave_line(g, me);
    signal_done(&me->wake);
}

bool gate_enter(struct gate *g)
{
    struct gate_waiting me = {.called = false};

    lock_take(&g->lock);
    if (g->places > 0) {
        g->places--;
        me.called = true;
    } else {
        wait_in_line(g, &me);
    }
    lock_release(&g->lock);
    return me.called;
}

void gate_leave(struct gate *g)
{
    struct gate_waiting *next;

    lock_take(&g->lock);
    next = g->first;
    if (next != NULL) {
        g->first = next->next;
        if (g->first == NULL)
            g->last = &g->first;
        next->called = true;
        signal_one(&next->wake);
    } else {
        g->places++;
    }
    lock_release(&g->lock);
}

/* presence.c -- rows of (host, room, user), versions, beats; no I/O. */
#include "link/presence.h"

#include "base/mutant.h"
#include <errno.h>

#define RANDOM_BITS UINT64_C(0xffff) /* of an epoch; what is before them is time */

void presence_init(struct presence *p, uint64_t self, uint64_t epoch)
{
    memset(p, 0, sizeof *p);
    p->self = self;
    p->epoch = epoch;
    p->host[0] = (struct presence_host){.host = self, .epoch = epoch, .from = self};
    p->n_hosts = 1;
}

static uint16_t *place(struct presence *p, uint64_t host, uint64_t room, struct text user)
{
    uint64_t key = host ^ room;
    for (size_t i = 0; i < user.len; i++)
        key = (key ^ (uint8_t)user.p[i]) * 0x100000001b3u;
    for (uint32_t i = (uint32_t)(key * 0x9e3779b97f4a7c15u >> 32);; i++) {
        uint16_t *at = &p->index[i % ARRAY_LEN(p->index)];
        if (*at == 0)
            return at;
        const struct presence_entry *e = &p->entry[*at - 1];
        if (e->host == host && e->room == room && text_eq(user, (struct text){e->user, e->user_len}))
            return at;
    }
}

/* get -- the row, made when it is new; NULL when the table is full. */
static struct presence_entry *get(struct presence *p, uint32_t of, uint64_t room, struct text user, struct text room_name)
{
    uint64_t host = p->host[of].host;
    uint16_t *at = place(p, host, room, user);
    if (*at != 0)
        return &p->entry[*at - 1];
    if (p->n == PRESENCE_MAX)
        return NULL;
    struct presence_entry *e = &p->entry[p->n];
    *e = (struct presence_entry){.host = host, .of = of, .room = room, .user_len = (uint8_t)user.len, .room_len = (uint8_t)room_name.len};
    memcpy(e->user, user.p, user.len);
    memcpy(e->room_name, room_name.p, room_name.len);
    *at = (uint16_t)++p->n;
    return e;
}

static void tell(struct presence *p, const struct presence_entry *e)
{
    p->news[p->news_next++ % PRESENCE_MAX] = (uint16_t)(e - p->entry);
}

/* ---- our own ---- */

void presence_see(struct presence *p, struct text user, uint64_t room, struct text room_name, bool quiet)
{
    struct presence_entry *e = get(p, 0, room, user, room_name);
    if (!e)
        return;
    e->quiet = e->seen == 0 ? quiet : e->quiet && quiet;
    e->seen++;
}

bool presence_settle(struct presence *p)
{
    uint64_t before = p->news_next;
    for (uint32_t i = 0; i < p->n; i++) {
        struct presence_entry *e = &p->entry[i];
        if (e->host != p->self)
            continue;
        if ((e->seen != e->sessions || e->epoch != p->epoch) && !(MUTANT(LEAVING_UNTOLD) && e->seen == 0)) {
            e->sessions = e->seen;
            e->epoch = p->epoch;
            e->from = p->self;
            e->version = ++p->version;
            tell(p, e);
        }
        e->seen = 0;
    }
    return p->news_next != before;
}

static void tell_beat(struct presence *p, struct presence_host *h)
{
    h->news = p->beats++;
    p->beat_news[h->news % PRESENCE_HOSTS_MAX] = (uint16_t)(h - p->host);
}

bool presence_beat(struct presence *p, uint64_t now_ms)
{
    struct presence_host *us = &p->host[0];
    if (us->beat != 0 && now_ms - us->heard_ms < PRESENCE_BEAT_MS)
        return false;
    us->heard_ms = now_ms;
    us->beat++;
    tell_beat(p, us);
    return true;
}

/* ---- others ---- */

static struct presence_host *host_of(struct presence *p, uint64_t host)
{
    for (uint32_t i = 0; i < p->n_hosts; i++)
        if (p->host[i].host == host)
            return &p->host[i];
    if (p->n_hosts == PRESENCE_HOSTS_MAX)
        return NULL;
    p->host[p->n_hosts] = (struct presence_host){.host = host};
    return &p->host[p->n_hosts++];
}

/* go_on_from -- a later run of ours was heard of than this one, for our clock was set back: what we say counts again. */
static void go_on_from(struct presence *p, uint64_t epoch)
{
    uint64_t next = (epoch | RANDOM_BITS) + 1 + (p->epoch & RANDOM_BITS); /* not that of another run which went on from there */
    if (epoch <= p->epoch || next < epoch || MUTANT(CLOCK_BACK_MUTE))
        return;
    p->epoch = p->host[0].epoch = next;
    p->host[0].beat = 0; /* beat soon */
    for (uint32_t i = 0; i < p->n; i++) {
        struct presence_entry *e = &p->entry[i];
        if (e->of != 0)
            continue;
        e->epoch = p->epoch;
        e->version = ++p->version;
        tell(p, e);
    }
}

void presence_heard_beat(struct presence *p, uint64_t from, const struct beat_row *b, uint64_t now_ms)
{
    if (b->host == p->self) {
        go_on_from(p, b->epoch);
        return; /* our own, come round a loop, or of an earlier run */
    }
    struct presence_host *h = host_of(p, b->host);
    if (h && b->epoch < h->epoch) { /* it does not know of its later run, which we remember: pass that back */
        h->outlived = true;
        tell_beat(p, h);
    }
    if (!h || b->epoch < h->epoch || (b->epoch == h->epoch && b->beat <= h->beat))
        return;
    bool stirred = h->stirred || b->epoch > h->epoch || h->heard_ms == 0;
    *h = (struct presence_host){.host = b->host, .epoch = b->epoch, .beat = b->beat, .heard_ms = now_ms, .from = from,
                                .stirred = stirred};
    if (!MUTANT(BEAT_KEPT))
        tell_beat(p, h);
}

int presence_heard(struct presence *p, uint64_t from, const uint8_t *f, uint64_t now_ms)
{
    struct presence_row row;
    if (frame_origin(f) == p->self) {
        go_on_from(p, frame_epoch(f));
        return -1;
    }
    if (read_presence(f, &row) < 0)
        return -EBADMSG;
    struct presence_host *h = host_of(p, frame_origin(f));
    struct presence_entry *e = h ? get(p, (uint32_t)(h - p->host), frame_room(f), row.user, row.room) : NULL;
    if (!e || frame_epoch(f) < e->epoch || (frame_epoch(f) == e->epoch && frame_seq(f) <= e->version && !MUTANT(OLDER_ROW_TAKEN)))
        return -1;
    uint32_t before = presence_sessions(p, e);
    if (MUTANT(ROW_IS_LIFE) && h->heard_ms == 0)
        h->heard_ms = now_ms;
    e->epoch = frame_epoch(f);
    e->version = frame_seq(f);
    e->sessions = row.sessions;
    e->quiet = row.quiet;
    e->from = from;
    tell(p, e);
    return presence_sessions(p, e) == before ? -1 : (int)(e - p->entry);
}

uint32_t presence_sessions(const struct presence *p, const struct presence_entry *e)
{
    const struct presence_host *h = &p->host[e->of];
    return h->heard_ms != 0 && (e->epoch >= h->epoch || MUTANT(OLD_RUN_COUNTS)) ? e->sessions : 0;
}

uint64_t presence_expire(struct presence *p, uint64_t now_ms)
{
    for (uint32_t i = 1; i < p->n_hosts; i++) {
        struct presence_host *h = &p->host[i];
        bool silent = h->heard_ms != 0 && now_ms - h->heard_ms >= PRESENCE_LEASE_MS && !MUTANT(LEASE_FOR_EVER);
        if (!silent && !h->stirred)
            continue;
        h->heard_ms = silent ? 0 : h->heard_ms;
        h->stirred = false;
        return h->host;
    }
    return 0;
}

/* ---- what we say ---- */

static int say_entry(const struct presence_entry *e, bool live, uint8_t *f)
{
    struct presence_row row = {e->sessions, e->quiet != 0, {e->user, e->user_len}, {e->room_name, e->room_len}};
    int n = write_presence(f, &row, e->host, e->epoch, e->room, e->version);
    frame_set_flags(f, live ? 0 : FRAME_CONT);
    return n;
}

/* next_beat -- each beat once, and of each host only the last: what is told grows with the hosts, not with their square.
 * Returns whose, NULL: none. */
static const struct presence_host *next_beat(const struct presence *p, struct presence_cursor *c, uint64_t to)
{
    if (p->beats - c->beats > PRESENCE_HOSTS_MAX) {
        c->beats = p->beats;
        c->host = 0;
        c->hosts = p->n_hosts;
    }
    while (c->host < c->hosts || c->beats < p->beats) {
        bool old = c->host < c->hosts;
        uint32_t i = old ? c->host++ : p->beat_news[c->beats % PRESENCE_HOSTS_MAX];
        bool last = old || p->host[i].news == c->beats;
        c->beats += !old;
        const struct presence_host *h = &p->host[i];
        bool own_run = h->host == to && (old || h->outlived); /* it may have to go on from there */
        bool news = h->host != to && (h->outlived || (h->heard_ms != 0 && (old || h->from != to)));
        if (last && h->beat != 0 && (own_run || news))
            return h;
    }
    return NULL;
}

static int say_beats(const struct presence *p, struct presence_cursor *c, uint64_t to, uint8_t *f)
{
    struct wr w = frame_begin(f, FRAME_BEAT);
    const struct presence_host *h;
    unsigned rows = 0;
    for (; rows < BEAT_ROWS_MAX && (h = next_beat(p, c, to)) != NULL; rows++)
        write_beat_row(&w, &(struct beat_row){h->host, h->epoch, h->beat});
    return rows > 0 ? frame_end(f, &w) : 0;
}

int presence_next(struct presence *p, struct presence_cursor *c, uint64_t to, bool beats, uint8_t *f)
{
    if (!c->begun || p->news_next - c->news > PRESENCE_MAX) {
        *c = (struct presence_cursor){.news = p->news_next, .until = p->n, .beats = p->beats, .hosts = p->n_hosts, .begun = true};
    }
    while (c->host < c->hosts) {
        int n = say_beats(p, c, to, f); /* first, so that the rows count at once */
        if (n != 0)
            return n;
    }
    while (c->told < c->until && !MUTANT(ROWS_UNTOLD)) {
        const struct presence_entry *e = &p->entry[c->told++];
        uint64_t run = p->host[e->of].epoch;
        if (e->version != 0 && (e->host == to ? e->epoch > run : e->epoch >= run))
            return say_entry(e, false, f);
    }
    while (c->news < p->news_next) {
        const struct presence_entry *e = &p->entry[p->news[c->news++ % PRESENCE_MAX]];
        if (e->from != to)
            return say_entry(e, true, f);
    }
    return beats ? say_beats(p, c, to, f) : 0;
}

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

static void name_room(struct presence_entry *e, struct text name)
{
    e->room_len = (uint8_t)name.len;
    memcpy(e->room_name, name.p, name.len);
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
    *e = (struct presence_entry){.host = host, .of = of, .room = room, .user_len = (uint8_t)user.len};
    memcpy(e->user, user.p, user.len);
    name_room(e, room_name);
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
    e->seen_quiet = e->seen == 0 ? quiet : e->seen_quiet && quiet;
    e->seen++;
}

/* renew -- another version of a row of ours: told when it is signed. */
static void renew(struct presence *p, struct presence_entry *e)
{
    e->epoch = p->epoch;
    e->version = ++p->version;
    e->is_signed = MUTANT(UNSIGNED_TOLD);
    p->unsigned_from = (uint32_t)min_u64(p->unsigned_from, (uint64_t)(e - p->entry));
    if (e->is_signed)
        tell(p, e);
}

bool presence_settle(struct presence *p)
{
    uint64_t before = p->version;
    for (uint32_t i = 0; i < p->n; i++) {
        struct presence_entry *e = &p->entry[i];
        if (e->host != p->self)
            continue;
        bool quiet = e->seen > 0 ? e->seen_quiet : e->quiet;
        bool other = e->seen != e->sessions || quiet != e->quiet || e->epoch != p->epoch;
        if (other && !(MUTANT(LEAVING_UNTOLD) && e->seen == 0)) {
            e->sessions = e->seen;
            e->quiet = quiet;
            e->from = p->self;
            renew(p, e);
        }
        e->seen = 0;
    }
    return p->version != before;
}

static void tell_beat(struct presence *p, struct presence_host *h)
{
    h->news = p->beats++;
    p->beat_news[h->news % PRESENCE_HOSTS_MAX] = (uint16_t)(h - p->host);
}

bool presence_beat(struct presence *p, uint64_t now_ms)
{
    struct presence_host *us = &p->host[0];
    if (p->beat != 0 && now_ms - us->heard_ms < PRESENCE_BEAT_MS)
        return false;
    us->heard_ms = now_ms;
    p->beat++;
    p->beat_unsigned = true;
    return true;
}

/* signed_beat -- unless it is of a run that we went on from meanwhile. */
static void signed_beat(struct presence *p, const uint8_t *f)
{
    struct rd r = rd_from(frame_body(f), frame_body_len(f));
    struct presence_host *us = &p->host[0];
    struct beat_row b;
    read_beat_row(&r, &b);
    if (r.bad || b.epoch != p->epoch || b.beat <= us->beat)
        return;
    us->beat = b.beat;
    memcpy(us->signature, b.signature, SIGNATURE_LEN);
    tell_beat(p, us);
}

/* signed_row -- unless it has changed meanwhile. */
static void signed_row(struct presence *p, const uint8_t *f)
{
    struct presence_row row;
    p->signing -= p->signing > 0;
    if (read_presence(f, &row) < 0)
        return;
    uint16_t at = *place(p, p->self, frame_room(f), row.user);
    struct presence_entry *e = at ? &p->entry[at - 1] : NULL;
    if (!e || e->is_signed || e->epoch != frame_epoch(f) || e->version != frame_seq(f))
        return;
    memcpy(e->signature, row.signature, SIGNATURE_LEN);
    e->is_signed = true;
    tell(p, e);
}

void presence_signed(struct presence *p, const uint8_t *f)
{
    if (frame_type(f) == FRAME_BEAT)
        signed_beat(p, f);
    else
        signed_row(p, f);
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
    p->beat = p->host[0].beat = 0; /* beat soon */
    for (uint32_t i = 0; i < p->n; i++)
        if (p->entry[i].of == 0)
            renew(p, &p->entry[i]);
}

static bool beat_good(const struct presence *p, uint64_t from, const struct beat_row *b)
{
    return !p->beat_signed || p->beat_signed(p->arg, b) || (from == b->host && MUTANT(SPEAKER_TRUSTED));
}

static bool row_good(const struct presence *p, uint64_t from, const uint8_t *f)
{
    return !p->row_signed || p->row_signed(p->arg, f) || (from == frame_origin(f) && MUTANT(SPEAKER_TRUSTED));
}

/* heard_beat_of_ours -- come round a loop, or of another run. */
static int heard_beat_of_ours(struct presence *p, uint64_t from, const struct beat_row *b)
{
    if (b->epoch <= p->epoch)
        return 0;
    if (!beat_good(p, from, b))
        return -EACCES;
    go_on_from(p, b->epoch);
    return 0;
}

int presence_heard_beat(struct presence *p, uint64_t from, const struct beat_row *b, uint64_t now_ms)
{
    if (b->host == p->self)
        return heard_beat_of_ours(p, from, b);
    struct presence_host *h = host_of(p, b->host);
    if (h && b->epoch < h->epoch) { /* it does not know of its later run, which we remember: pass that back */
        h->outlived = true;
        tell_beat(p, h);
    }
    if (!h || b->epoch < h->epoch || (b->epoch == h->epoch && b->beat <= h->beat))
        return 0;
    if (!beat_good(p, from, b))
        return -EACCES;
    bool stirred = h->stirred || b->epoch > h->epoch || h->heard_ms == 0;
    *h = (struct presence_host){.host = b->host, .epoch = b->epoch, .beat = b->beat, .heard_ms = now_ms, .from = from,
                                .stirred = stirred};
    memcpy(h->signature, b->signature, SIGNATURE_LEN);
    if (!MUTANT(BEAT_KEPT))
        tell_beat(p, h);
    return 0;
}

/* is_news -- may this row change anything?  Of ours: when it is of a later run than this one. */
static bool is_news(struct presence *p, const uint8_t *f, struct text user)
{
    if (frame_origin(f) == p->self)
        return frame_epoch(f) > p->epoch;
    uint16_t at = *place(p, frame_origin(f), frame_room(f), user);
    const struct presence_entry *e = at ? &p->entry[at - 1] : NULL;
    if (!e)
        return p->n < PRESENCE_MAX;
    return frame_epoch(f) > e->epoch || (frame_epoch(f) == e->epoch && (frame_seq(f) > e->version || MUTANT(OLDER_ROW_TAKEN)));
}

int presence_heard(struct presence *p, uint64_t from, const uint8_t *f, uint64_t now_ms)
{
    struct presence_row row;
    if (read_presence(f, &row) < 0)
        return -EBADMSG;
    if (!is_news(p, f, row.user))
        return -1;
    if (!row_good(p, from, f))
        return -EACCES;
    if (frame_origin(f) == p->self) {
        go_on_from(p, frame_epoch(f));
        return -1;
    }
    struct presence_host *h = host_of(p, frame_origin(f));
    struct presence_entry *e = h ? get(p, (uint32_t)(h - p->host), frame_room(f), row.user, row.room) : NULL;
    if (!e)
        return -1;
    uint32_t before = presence_sessions(p, e);
    if (MUTANT(ROW_IS_LIFE) && h->heard_ms == 0)
        h->heard_ms = now_ms;
    e->epoch = frame_epoch(f);
    e->version = frame_seq(f);
    e->sessions = row.sessions;
    e->quiet = row.quiet;
    e->from = from;
    e->is_signed = true;
    memcpy(e->signature, row.signature, SIGNATURE_LEN);
    name_room(e, row.room); /* as it was signed */
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
    struct presence_row row = {e->sessions, e->quiet != 0, {e->user, e->user_len}, {e->room_name, e->room_len}, e->signature};
    int n = write_presence(f, &row, e->host, e->epoch, e->room, e->version);
    frame_set_flags(f, live ? 0 : FRAME_CONT);
    return n;
}

int presence_unsigned(struct presence *p, uint8_t *f)
{
    while (p->signing < PRESENCE_SIGNING_MAX && p->unsigned_from < p->n) {
        const struct presence_entry *e = &p->entry[p->unsigned_from++];
        if (e->of == 0 && e->version != 0 && !e->is_signed) {
            p->signing++;
            return say_entry(e, true, f);
        }
    }
    if (!p->beat_unsigned || p->unsigned_from < p->n)
        return 0;
    struct wr w = frame_begin(f, FRAME_BEAT); /* last: the first of a run ends what was said in the one before */
    p->beat_unsigned = false;
    write_beat_row(&w, &(struct beat_row){.host = p->self, .epoch = p->epoch, .beat = p->beat});
    return frame_end(f, &w);
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
    for (; rows < BEAT_ROWS_MAX && (h = next_beat(p, c, to)) != NULL; rows++) {
        struct beat_row b = {.host = h->host, .epoch = h->epoch, .beat = h->beat};
        memcpy(b.signature, h->signature, SIGNATURE_LEN);
        write_beat_row(&w, &b);
    }
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
        if (e->version != 0 && e->is_signed && (e->host == to ? e->epoch > run : e->epoch >= run))
            return say_entry(e, false, f);
    }
    while (c->news < p->news_next) {
        const struct presence_entry *e = &p->entry[p->news[c->news++ % PRESENCE_MAX]];
        if (e->from != to && e->is_signed)
            return say_entry(e, true, f);
    }
    return beats ? say_beats(p, c, to, f) : 0;
}

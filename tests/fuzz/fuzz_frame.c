/* fuzz_frame.c -- bytes as they come from a queue, a FIFO or a link: split, checked and read.
 */
#include "base/direct.h"
#include "frame/body.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Texts that were let in must be texts: touch each byte, and hold them against their rules
 * again. */
static void check_text(struct text t, bool (*ok)(struct text))
{
    if (!ok(t))
        abort();
}

static void check_fifo(const char *name)
{
    uint8_t random[FIFO_NAME_LEN / 2];
    if (!text_unhex(text_of(name), random, sizeof random))
        abort();
}

static void read_session(const uint8_t *f)
{
    struct hello h;
    struct welcome w;
    struct query q;
    if (read_hello(f, &h) == 0)
        check_fifo(h.fifo);
    if (read_query(f, &q) == 0)
        check_fifo(q.fifo);
    if (read_welcome(f, &w) == 0) {
        check_text(w.user, text_user_ok);
        check_text(w.host, text_host_ok);
    }
}

/* check_act -- the names and the text, and that a target has a host. */
static void check_act(const struct room_act *a)
{
    check_text(a->user, text_user_ok);
    check_text(a->topic, text_utf8_ok);
    if (a->target.len > 0 && !text_eq(a->target, text_of("*")))
        check_text(a->target, text_user_ok);
    if ((a->target.len > 0) != (a->host != 0) || a->topic.len > TOPIC_MAX)
        abort();
}

static void read_entries(const uint8_t *f)
{
    struct room_change c;
    struct say s;
    struct segment_head head;
    if (read_room_change(f, &c) == 0) {
        check_text(c.room, direct_room_ok);
        if (frame_type(f) != FRAME_CREATE)
            check_text(c.user, text_user_ok);
    }
    if (read_say(f, &s) == 0) {
        check_text(s.user, text_user_ok);
        check_text(s.text, text_utf8_ok);
        if (s.text.len < 1 || s.text.len > TEXT_PART_MAX)
            abort();
    }
    struct room_act a;
    if (read_room_act(f, &a) == 0)
        check_act(&a);
    (void)!read_segment(f, &head);
}

static void read_answers(const uint8_t *f)
{
    struct reasoned r;
    struct end e;
    struct text host;
    struct room_row room;
    struct who_row who;
    struct trace_row trace;
    struct hops hops;
    struct fact_row fact;
    if (read_fact_row(f, &fact) == 0) {
        check_text(fact.why, text_utf8_ok);
        check_act(&fact.act);
    }
    if (read_reasoned(f, &r) == 0)
        check_text(r.text, text_utf8_ok);
    if (read_end(f, &e) == 0)
        check_text(e.text, text_utf8_ok);
    if (read_host(f, &host) == 0)
        check_text(host, text_host_ok);
    if (read_room_row(f, &room) == 0) {
        check_text(room.name, direct_room_ok);
        check_text(room.topic, text_utf8_ok);
    }
    if (read_who_row(f, &who) == 0) {
        check_text(who.user, text_user_ok);
        check_text(who.host, text_host_ok);
    }
    if (read_trace_row(f, &trace) == 0)
        check_text(trace.host, text_host_ok);
    (void)!read_hops(f, &hops);
}

static void read_of_peers(const uint8_t *f)
{
    struct member_entry m;
    struct links_row links;
    struct tunnel_part part;
    struct presence_row row;
    if (read_member(f, &m) == 0) {
        check_text(m.name, text_host_ok);
        check_text(m.address, text_utf8_ok);
        if (m.address.len < 1 || m.address.len > MEMBER_ADDRESS_MAX)
            abort();
    }
    if (read_presence(f, &row) == 0) {
        check_text(row.user, text_user_ok);
        check_text(row.room, text_room_ok);
    }
    if (read_links(f, &links) == 0 && links.n > 0)
        (void)get_u64(links.link + 8 * (links.n - 1));
    if (read_tunnel(f, &part) == 0 && part.len > TUNNEL_BYTES_MAX)
        abort();
}

/* Each reader sees each frame, whatever its type, from memory that ends where the frame ends.
 */
static void read_all_ways(const uint8_t *f)
{
    uint8_t *copy = malloc(frame_len(f));
    if (!copy)
        return;
    memcpy(copy, f, frame_len(f));
    read_session(copy);
    read_entries(copy);
    read_answers(copy);
    read_of_peers(copy);
    free(copy);
}

/* The first byte of the input says how large the pieces are in which the rest arrives. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t buf[2 * FRAME_MAX];
    if (size == 0)
        return 0;
    size_t chunk = (size_t)data[0] * 16 + 1;
    struct splitter s;
    splitter_init(&s, buf, sizeof buf);
    for (size_t at = 1; at < size;) {
        size_t room;
        uint8_t *to = splitter_room(&s, &room);
        size_t n = min_size(min_size(chunk, room), size - at);
        if (n == 0)
            abort();
        memcpy(to, data + at, n);
        splitter_fed(&s, n);
        at += n;
        const uint8_t *f;
        int got;
        while ((got = splitter_next(&s, &f)) == 1)
            read_all_ways(f);
        if (got < 0)
            return 0;
    }
    struct envelope e;
    (void)!read_envelope(data + 1, size - 1, &e);
    return 0;
}

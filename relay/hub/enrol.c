/* enrol.c -- a stranger with an invitation becomes a peer. */
#include "hub/enrol.h"

#include "base/log.h"
#include "base/sys.h"
#include "trust/invites.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool enrol_open(struct hub *h)
{
    return invites_open(h->state_dir, wall_ms() / 1000);
}

/* may_come -- is neither its key revoked nor its name somebody else's in this network? */
static bool may_come(const struct hub *h, const struct peer *p, char why[SENTENCE_MAX + 1])
{
    const struct members *m = &h->st->seg->members;
    uint8_t standing[MEMBERS_MAX];
    int slot = members_find(m, p->host);
    members_stand(m, standing);
    if (slot >= 0 && standing[slot] == STANDING_REVOKED) {
        snprintf(why, SENTENCE_MAX + 1, "The key of your host was revoked; make a new one (relay rotate --force) and try again.");
        return false;
    }
    for (int i = 0; i < (int)m->n; i++) {
        if (i == slot || standing[i] == STANDING_NONE || standing[i] == STANDING_REVOKED || strcmp(m->member[i].name, p->name) != 0)
            continue;
        snprintf(why, SENTENCE_MAX + 1, "There is a host called %s in this network; set another `name` in relay.conf, or, if it is this "
                 "one with a new key, revoke the old one first (relay revoke).", p->name);
        return false;
    }
    return true;
}

/* admit -- returns REASON_OK, or why not and a sentence that says what to do. */
static enum reason admit(struct link *l, const uint8_t *frame, char why[SENTENCE_MAX + 1])
{
    struct hub *h = hub_of(l);
    struct enrol e;
    struct peer p;
    char line[384], key[KEY_TEXT_LEN + 1], problem[192];
    if (frame_type(frame) != FRAME_ENROL || read_enrol(frame, &e) < 0) {
        snprintf(why, SENTENCE_MAX + 1, "This is not how a host joins; use relay join of the same version.");
        return REASON_MALFORMED;
    }
    key_to_text(tls_peer_key(l->c.tls), key);
    snprintf(line, sizeof line, "%.*s %.*s %s", (int)e.name.len, e.name.p, (int)e.address.len, e.address.p, key);
    if (peer_from_line(line, &p, problem, sizeof problem) < 0) {
        snprintf(why, SENTENCE_MAX + 1, "Your host cannot be a peer: %s.", problem);
        return REASON_MALFORMED;
    }
    if (text_eq(e.name, text_of(h->st->seg->shape.host))) {
        snprintf(why, SENTENCE_MAX + 1, "This host is called %s, too; set another `name` in relay.conf and try again.", p.name);
        return REASON_DENIED;
    }
    if (!may_come(h, &p, why))
        return REASON_DENIED;
    int r = peers_check(h->state_dir, &p, problem, sizeof problem);
    if (r < 0) {
        snprintf(why, SENTENCE_MAX + 1, "%s.", problem);
        return REASON_DENIED;
    }
    r = invites_use(h->state_dir, e.secret, wall_ms() / 1000, &p.guest);
    if (r < 0) {
        snprintf(why, SENTENCE_MAX + 1, "%s",
                 r == -ETIMEDOUT ? "This invitation has expired (by my clock); ask for a new one: relay invite"
                 : r == -ENOENT  ? "There is no such invitation, or it is used up; ask for a new one: relay invite"
                                 : "The invitation cannot be looked up; see the log of the inviting relay.");
        return REASON_DENIED;
    }
    r = peers_add(h->state_dir, &p, problem, sizeof problem);
    if (r < 0) {
        snprintf(why, SENTENCE_MAX + 1, "%s.", problem);
        return REASON_LIMIT;
    }
    log_info("%s has joined by invitation, from %s", p.name, p.address);
    h->reload = true;
    snprintf(why, SENTENCE_MAX + 1, "Welcome.");
    return REASON_OK;
}

void enrol_hear(struct link *l)
{
    const uint8_t *frame, *frames;
    char why[SENTENCE_MAX + 1];
    size_t len;
    int r = conn_next(&l->c, &frame, &frames, &len);
    if (r < 0)
        link_end(l, r == -EPIPE ? tls_why(l->c.tls) : "it sent nonsense");
    if (r == 1) {
        enum reason reason = admit(l, frame, why);
        if (reason != REASON_OK)
            log_warn("a host with an invitation was not let in: %s", why);
        link_farewell(l, reason, why);
    }
}

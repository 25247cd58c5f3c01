/* marks.c -- one watch on the newest own message. */
#include "marks.h"

void marks_see(struct marks *m, const struct port *p, const uint8_t *f)
{
    if (frame_type(f) != FRAME_SAY || frame_client(f) != port_client(p) || !port_has_others(p))
        return;
    m->said = (struct have_row){frame_origin(f), frame_epoch(f), frame_room(f), frame_seq(f), {0}};
    m->fresh = true;
}

void marks_forget(struct marks *m)
{
    m->fresh = m->asked = m->shown = false;
}

static unsigned level_of(const struct trace_picture *pic)
{
    size_t have = trace_have(pic);
    return have == 0 || pic->host[0].state != TRACE_HAS ? 0 : have == pic->n ? 3 : have > 1 ? 2 : 1;
}

bool marks_update(struct marks *m, struct port *p)
{
    bool shown = m->shown;
    unsigned level = m->level;
    const uint8_t *f;
    if (m->fresh) {
        m->picture.n = 0;
        m->fresh = false;
        m->asked = true;
        port_watch(p, &m->said);
    }
    while (port_watched(p, &f))
        trace_take(&m->picture, f);
    if (!m->asked)
        return false;
    m->shown |= m->picture.n > 1;
    m->level = level_of(&m->picture);
    return m->shown && (!shown || m->level != level);
}

const char *marks_text(const struct marks *m, bool utf8)
{
    static const char *const marks[2][4] = {
        {"...", "+..", "++.", "+++"},
        {"\u00b7\u00b7\u00b7", "\u2713\u00b7\u00b7", "\u2713\u2713\u00b7", "\u2713\u2713\u2713"},
    };
    return m->shown ? marks[utf8][m->level] : "";
}

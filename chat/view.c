/* view.c -- everything that is shown passes through here; a message is shown when its last part is there. */
#include "view_inside.h"

#include "render.h"

#include <errno.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool view_color(int fd)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fd) && !(no && *no) && term && *term && strcmp(term, "dumb") != 0;
}

int view_open(struct view **out, const struct port *p, const struct view_options *o)
{
    struct view *v = calloc(1, sizeof *v);
    if (!v)
        return -ENOMEM;
    *v = (struct view){.port = p, .o = *o, .day = -1};
    v->how = strcmp(nl_langinfo(CODESET), "UTF-8") == 0 ? RENDER_UTF8 : 0;
    v->line = malloc(VIEW_LINE_MAX);
    v->rendered = malloc(RENDER_SIZE(TEXT_MESSAGE_MAX));
    if (!v->line || !v->rendered) {
        view_close(v);
        return -ENOMEM;
    }
    *out = v;
    return 0;
}

void view_close(struct view *v)
{
    for (unsigned i = 0; i < ASSEMBLIES; i++)
        free(v->part[i].text);
    free(v->line);
    free(v->rendered);
    free(v->json);
    free(v);
}

size_t view_messages(const struct view *v)
{
    return v->messages;
}

struct text view_host(const struct view *v, uint64_t host, char number[HOST_NUMBER_SIZE])
{
    struct text name = port_host(v->port, host);
    if (name.len > 0)
        return name;
    snprintf(number, HOST_NUMBER_SIZE, "%016llx", (unsigned long long)host);
    return text_of(number);
}

/* ---- parts ---- */

static struct assembly *find_part(struct view *v, const uint8_t *f)
{
    for (unsigned i = 0; i < ASSEMBLIES; i++)
        if (v->part[i].len > 0 && v->part[i].client == frame_client(f) && v->part[i].room == frame_room(f))
            return &v->part[i];
    return NULL;
}

/* assemble -- the whole text, once the last part is there. */
static bool assemble(struct view *v, const uint8_t *f, struct text *text)
{
    bool more = frame_flags(f) & FRAME_MORE, cont = frame_flags(f) & FRAME_CONT;
    struct assembly *a = cont ? find_part(v, f) : NULL;
    if (!more && !a)
        return true; /* one part, or the end of one whose beginning we never saw */
    if (!a) {
        a = &v->part[v->next++ % ASSEMBLIES];
        a->client = frame_client(f);
        a->room = frame_room(f);
        a->len = 0;
    }
    if (!a->text && !(a->text = malloc(TEXT_MESSAGE_MAX)))
        return true;
    if (text->len > TEXT_MESSAGE_MAX - a->len)
        return !more; /* longer than a message can be: somebody cheats */
    memcpy(a->text + a->len, text->p, text->len);
    a->len += text->len;
    if (more)
        return false;
    *text = (struct text){a->text, a->len};
    a->len = 0; /* the slot is free again; the text stays until the next call */
    return true;
}

/* ---- frames ---- */

static const struct look {
    const char *(*line)(struct view *v, const uint8_t *f);
    const char *(*json)(struct view *v, const uint8_t *f);
} looks[256] = {
    [FRAME_STATE] = {line_act, json_act},
    [FRAME_FACT] = {line_fact, json_fact},
    [FRAME_GONE] = {line_gone, json_gone},
    [FRAME_WHO] = {line_who, json_who},
    [FRAME_ROOM] = {line_room, json_room},
    [FRAME_JOIN] = {line_change, NULL},
    [FRAME_LEAVE] = {line_change, NULL},
    [FRAME_NOTICE] = {line_notice, NULL},
    [FRAME_REFUSED] = {line_notice, NULL},
};

static const char *message(struct view *v, const uint8_t *f)
{
    struct say s;
    if (read_say(f, &s) < 0 || !assemble(v, f, &s.text))
        return "";
    v->messages++;
    return v->o.json ? json_message(v, f, &s) : line_message(v, f, &s);
}

const char *view_frame(struct view *v, const uint8_t *f)
{
    if (frame_type(f) == FRAME_SAY)
        return message(v, f);
    const struct look *look = &looks[frame_type(f)];
    const char *(*show)(struct view *, const uint8_t *) = v->o.json ? look->json : look->line;
    return show ? show(v, f) : "";
}

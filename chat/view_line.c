/* view_line.c -- frames as lines for people; all that others wrote goes through render.c. */
#include "view_inside.h"

#include "acts.h"
#include "id.h"
#include "render.h"

#include <stdio.h>
#include <time.h>

/* A line that grows. */
struct line {
    char *p;
    size_t len, size;
};

static void put(struct line *l, const char *s, size_t n)
{
    n = min_size(n, l->size - l->len - 1);
    memcpy(l->p + l->len, s, n);
    l->len += n;
    l->p[l->len] = '\0';
}

static void puts_line(struct line *l, const char *s)
{
    put(l, s, strlen(s));
}

static void put_name(struct line *l, struct text name)
{
    char safe[RENDER_SIZE(HOST_NAME_MAX_LEN)];
    put(l, safe, render_name(name, safe, sizeof safe));
}

/* put_host -- its name, or its number when it has none here. */
static void put_host(struct view *v, struct line *l, uint64_t host)
{
    char number[HOST_NUMBER_SIZE];
    put_name(l, view_host(v, host, number));
}

/* put_who -- "user@host" in a colour of its own. */
static void put_who(struct view *v, struct line *l, uint64_t host, struct text user)
{
    static const char *const colors[] = {"31", "32", "33", "34", "35", "36"};
    unsigned h = 0;
    for (size_t i = 0; i < user.len; i++)
        h = h * 31 + (unsigned char)user.p[i];
    if (v->o.color) {
        puts_line(l, "\033[");
        puts_line(l, colors[h % ARRAY_LEN(colors)]);
        puts_line(l, "m");
    }
    if (text_eq(user, text_of("*")))
        puts_line(l, "*");
    else
        put_name(l, user);
    puts_line(l, "@");
    put_host(v, l, host);
    if (v->o.color)
        puts_line(l, "\033[0m");
}

static bool local_time(const uint8_t *f, struct tm *tm)
{
    time_t s = (time_t)((frame_hlc(f) >> 16) / 1000);
    return localtime_r(&s, tm) != NULL;
}

static void put_day(struct view *v, struct line *l, const uint8_t *f)
{
    char text[64];
    struct tm tm;
    if (!local_time(f, &tm))
        return;
    int day = tm.tm_year * 366 + tm.tm_yday;
    if (v->o.days && day != v->day && strftime(text, sizeof text, "-- %A, %Y-%m-%d\n", &tm) > 0)
        puts_line(l, text);
    v->day = day;
}

static void put_id(const struct view *v, struct line *l, const uint8_t *f)
{
    char id[ID_TEXT_MAX + 1];
    if (!v->o.ids)
        return;
    id_to_text(f, id);
    puts_line(l, id);
    puts_line(l, " ");
}

static void put_time(struct view *v, struct line *l, const uint8_t *f)
{
    char text[64];
    struct tm tm;
    if (!local_time(f, &tm))
        return;
    if (strftime(text, sizeof text, "%H:%M ", &tm) > 0)
        puts_line(l, text);
    struct text room = port_room_name(v->port, frame_room(f));
    if (v->o.rooms || (v->o.direct && direct_is(room))) {
        puts_line(l, port_sign(room));
        put_name(l, room);
        puts_line(l, " ");
    }
}

/* put_text -- lines after the first are indented, so that no text can pass for another message. */
static void put_text(struct view *v, struct line *l, struct text text)
{
    while (text.len > 0 && text.p[text.len - 1] == '\n')
        text.len--;
    size_t n = render_text(text, v->how | RENDER_LINES, v->rendered, RENDER_SIZE(TEXT_MESSAGE_MAX));
    for (const char *p = v->rendered, *end = p + n; p < end;) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        size_t len = nl ? (size_t)(nl - p) : (size_t)(end - p);
        put(l, p, len);
        puts_line(l, nl ? "\n      " : "");
        p += len + (nl != NULL);
    }
    puts_line(l, "\n");
}

/* put_one_line -- whatever is in it. */
static void put_one_line(struct view *v, struct line *l, struct text text)
{
    put(l, v->rendered, render_text(text, v->how, v->rendered, RENDER_SIZE(TEXT_MESSAGE_MAX)));
}

const char *line_message(struct view *v, const uint8_t *f, const struct say *s)
{
    struct line l = {v->line, 0, VIEW_LINE_MAX};
    bool action = frame_flags(f) & FRAME_ACTION;
    put_day(v, &l, f);
    put_id(v, &l, f);
    put_time(v, &l, f);
    puts_line(&l, action ? "* " : "");
    put_who(v, &l, frame_origin(f), s->user);
    puts_line(&l, action ? " " : ": ");
    put_text(v, &l, s->text);
    return v->line;
}

/* put_act -- who did what to whom. */
static void put_act(struct view *v, struct line *l, const uint8_t *f, const struct room_act *a)
{
    bool aims = act_aims(a->act), none = a->act == ACT_TOPIC && a->topic.len == 0;
    put_who(v, l, aims ? a->host : frame_origin(f), aims ? a->target : a->user);
    puts_line(l, aims ? " was " : " ");
    puts_line(l, none ? "took the topic away" : act_words[a->act].said);
    if (aims) {
        puts_line(l, " by ");
        put_who(v, l, frame_origin(f), a->user);
    }
    if (act_of_mode(a->act))
        puts_line(l, mode_words[a->mode]);
    put_one_line(v, l, a->topic);
}

const char *line_act(struct view *v, const uint8_t *f)
{
    struct line l = {v->line, 0, VIEW_LINE_MAX};
    struct room_act a;
    if (read_room_act(f, &a) < 0)
        return "";
    put_day(v, &l, f);
    put_id(v, &l, f);
    put_time(v, &l, f);
    puts_line(&l, "-- ");
    put_act(v, &l, f, &a);
    puts_line(&l, "\n");
    return v->line;
}

/* put_why -- which entry: its author, its time to the millisecond and by the same clock for all readers, its name. */
static void put_why(struct view *v, struct line *l, const uint8_t *f, struct text user)
{
    char text[64], id[ID_TEXT_MAX + 1];
    time_t s = (time_t)((frame_hlc(f) >> 16) / 1000);
    struct tm tm;
    size_t n = gmtime_r(&s, &tm) ? strftime(text, sizeof text, ", %Y-%m-%d %H:%M:%S", &tm) : 0;
    snprintf(text + n, sizeof text - n, ".%03uZ, ", (unsigned)((frame_hlc(f) >> 16) % 1000));
    puts_line(l, "  (");
    put_who(v, l, frame_origin(f), user);
    puts_line(l, text);
    id_to_text(f, id);
    puts_line(l, id);
    puts_line(l, ")");
}

const char *line_fact(struct view *v, const uint8_t *f)
{
    struct line l = {v->line, 0, VIEW_LINE_MAX};
    struct fact_row r;
    char label[16];
    if (read_fact_row(f, &r) < 0 || (r.why.len == 0 && !act_words[r.act.act].fact))
        return "";
    snprintf(label, sizeof label, "%-10s", r.why.len > 0 ? "no effect" : act_words[r.act.act].fact);
    puts_line(&l, label);
    if (r.why.len > 0) {
        put_act(v, &l, f, &r.act);
        puts_line(&l, " -- ");
        put_one_line(v, &l, r.why);
    } else if (act_aims(r.act.act) || r.act.act == ACT_OWN) {
        put_who(v, &l, act_aims(r.act.act) ? r.act.host : frame_origin(f), act_aims(r.act.act) ? r.act.target : r.act.user);
    } else if (r.act.act == ACT_TOPIC) {
        put_one_line(v, &l, r.act.topic);
    } else {
        puts_line(&l, mode_words[r.act.mode]);
    }
    if (v->o.why)
        put_why(v, &l, f, r.act.user);
    puts_line(&l, "\n");
    return v->line;
}

const char *line_change(struct view *v, const uint8_t *f)
{
    struct line l = {v->line, 0, VIEW_LINE_MAX};
    struct room_change c;
    if (read_room_change(f, &c) < 0)
        return "";
    bool forced = frame_flags(f) & FRAME_FORCED; /* why, says the act before */
    if (forced && frame_client(f) != port_client(v->port))
        return "";
    puts_line(&l, "-- ");
    if (forced) {
        puts_line(&l, "you are out of ");
        puts_line(&l, port_sign(c.room));
        put_name(&l, c.room);
        puts_line(&l, "\n");
        return v->line;
    }
    put_who(v, &l, frame_origin(f), c.user);
    puts_line(&l, frame_type(f) == FRAME_JOIN ? " joined " : " left ");
    puts_line(&l, port_sign(c.room));
    put_name(&l, c.room);
    puts_line(&l, "\n");
    return v->line;
}

const char *line_notice(struct view *v, const uint8_t *f)
{
    struct line l = {v->line, 0, VIEW_LINE_MAX};
    struct reasoned r;
    if (read_reasoned(f, &r) < 0)
        return "";
    puts_line(&l, "-- ");
    put_text(v, &l, r.text);
    return v->line;
}

/* put_when -- "12 Oct 14:03", with the year when it is another one. */
static void put_when(struct line *l, uint64_t hlc)
{
    char text[64];
    struct tm tm, today;
    time_t at = (time_t)((hlc >> 16) / 1000), now = time(NULL);
    if (!localtime_r(&at, &tm) || !localtime_r(&now, &today))
        return;
    if (strftime(text, sizeof text, tm.tm_year == today.tm_year ? "%e %b %H:%M" : "%e %b %Y %H:%M", &tm) > 0)
        puts_line(l, text + (text[0] == ' '));
}

/* line_gone -- "412 messages of alpha between 12 Oct 14:03 and 20 Oct 09:11 are no longer kept: they were said while this
 * host was away." */
const char *line_gone(struct view *v, const uint8_t *f)
{
    struct line l = {v->line, 0, VIEW_LINE_MAX};
    struct gone g;
    char number[32];
    if (read_gone(f, &g) < 0)
        return "";
    snprintf(number, sizeof number, "-- %llu message%s", (unsigned long long)g.messages, g.messages == 1 ? "" : "s");
    puts_line(&l, number);
    if (frame_origin(f)) {
        puts_line(&l, " of ");
        put_host(v, &l, frame_origin(f));
    }
    puts_line(&l, " between ");
    put_when(&l, g.hlc_min);
    puts_line(&l, " and ");
    put_when(&l, frame_hlc(f));
    puts_line(&l, g.messages == 1 ? " is no longer kept" : " are no longer kept");
    if (g.why == GAP_AWAY)
        puts_line(&l, g.messages == 1 ? ": it was said" : ": they were said");
    puts_line(&l, g.why == GAP_AWAY ? " while this host was away.\n" : ".\n");
    return v->line;
}

const char *line_who(struct view *v, const uint8_t *f)
{
    struct line l = {v->line, 0, VIEW_LINE_MAX};
    struct who_row w;
    if (read_who_row(f, &w) < 0)
        return "";
    put_name(&l, w.user);
    puts_line(&l, "@");
    put_name(&l, w.host);
    puts_line(&l, "\n");
    return v->line;
}

const char *line_room(struct view *v, const uint8_t *f)
{
    struct line l = {v->line, 0, VIEW_LINE_MAX};
    struct room_row r;
    char numbers[96], called[CALLED_MAX + 1];
    if (read_room_row(f, &r) < 0)
        return "";
    bool between_two = direct_is(r.name);
    port_call(v->port, r.name, called);
    put_name(&l, text_of(called));
    if (!between_two) {
        snprintf(numbers, sizeof numbers, "  %u here,", r.members);
        puts_line(&l, numbers);
    }
    snprintf(numbers, sizeof numbers, "%s %llu message%s", between_two ? " " : "", (unsigned long long)r.messages,
             r.messages == 1 ? "" : "s");
    puts_line(&l, numbers);
    puts_line(&l, r.topic.len > 0 ? "  " : "");
    put_one_line(v, &l, r.topic);
    puts_line(&l, "\n");
    return v->line;
}

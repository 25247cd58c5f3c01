/* view.c -- everything that is shown passes through here, and through render.c. */
#include "view.h"

#include "id.h"
#include "render.h"

#include <errno.h>
#include <jansson.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { ASSEMBLIES = 16, LINE_MAX_BYTES = TEXT_MESSAGE_MAX * RENDER_GROWTH * 2 + 1024 };

/* A message of which parts are there. */
struct assembly {
    uint64_t client, room;
    size_t len;
    char *text; /* TEXT_MESSAGE_MAX bytes */
};

struct view {
    const struct port *port;
    struct view_options o;
    unsigned how;
    struct assembly part[ASSEMBLIES];
    unsigned next;
    char *line, *rendered;
    char *json;
    int day;
    size_t messages;
};

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
    v->line = malloc(LINE_MAX_BYTES);
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

enum { HOST_NUMBER_SIZE = 17 };

/* host_name -- what it is called, or its number as rooms.c takes it. */
static struct text host_name(const struct view *v, uint64_t host, char number[HOST_NUMBER_SIZE])
{
    struct text name = port_host(v->port, host);
    if (name.len > 0)
        return name;
    snprintf(number, HOST_NUMBER_SIZE, "%016llx", (unsigned long long)host);
    return text_of(number);
}

/* What acts are called, what they leave behind, and what is said of them. */
static const struct act_words {
    const char *name, *fact, *said; /* said of the author, or of the target: "was ... by" */
} words[ACTS_END] = {
    [ACT_OWN] = {"create", "owner", "created the room"},
    [ACT_TOPIC] = {"topic", "topic", "set the topic: "},
    [ACT_SET] = {"set", "mode", "turned on "},
    [ACT_UNSET] = {"unset", NULL, "turned off "},
    [ACT_OP] = {"op", "operator", "made an operator"},
    [ACT_DEOP] = {"deop", NULL, "made an operator no more"},
    [ACT_MUTE] = {"mute", "muted", "muted"},
    [ACT_UNMUTE] = {"unmute", NULL, "unmuted"},
    [ACT_BAN] = {"ban", "banned", "banned"},
    [ACT_UNBAN] = {"unban", NULL, "unbanned"},
    [ACT_KICK] = {"kick", NULL, "kicked"},
    [ACT_INVITE] = {"invite", "member", "invited"},
    [ACT_UNINVITE] = {"uninvite", NULL, "uninvited"},
};
static const char *const modes[MODES_END] = {[MODE_TOPIC_BY_OPERATORS] = "topic-by-operators"};

uint8_t act_of_name(const char *name)
{
    uint8_t act = ACT_OWN;
    while (act < ACTS_END && strcmp(words[act].name, name) != 0)
        act++;
    return act < ACTS_END ? act : 0;
}

uint8_t mode_of_name(const char *name)
{
    uint8_t mode = 1;
    while (mode < MODES_END && strcmp(modes[mode], name) != 0)
        mode++;
    return mode < MODES_END ? mode : 0;
}

/* ---- JSON ---- */

static json_t *string(struct text t)
{
    return json_stringn(t.p, t.len);
}

static void add_stamp(json_t *o, const char *name, uint64_t hlc)
{
    char text[40];
    time_t s = (time_t)((hlc >> 16) / 1000);
    struct tm tm;
    size_t n = gmtime_r(&s, &tm) ? strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm) : 0;
    snprintf(text + n, sizeof text - n, ".%03uZ", (unsigned)((hlc >> 16) % 1000));
    json_object_set_new(o, name, json_string(text));
}

static void add_time(json_t *o, uint64_t hlc)
{
    add_stamp(o, "time", hlc);
}

static const char *dump(struct view *v, json_t *o)
{
    free(v->json);
    v->json = json_dumps(o, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(o);
    snprintf(v->line, LINE_MAX_BYTES, "%s\n", v->json ? v->json : "");
    return v->line;
}

static json_t *object(const char *type)
{
    json_t *o = json_object();
    json_object_set_new(o, "v", json_integer(1));
    json_object_set_new(o, "type", json_string(type));
    return o;
}

/* add_entry -- what every entry has: its name, where, who, when. */
static void add_entry(struct view *v, json_t *o, const uint8_t *f, struct text user)
{
    char id[ID_TEXT_MAX + 1];
    id_to_text(f, id);
    json_object_set_new(o, "id", json_string(id));
    json_object_set_new(o, "room", string(port_room_name(v->port, frame_room(f))));
    json_object_set_new(o, "user", string(user));
    json_object_set_new(o, "host", string(port_host(v->port, frame_origin(f))));
    add_time(o, frame_hlc(f));
}

/* act_json -- of an entry, or of a row of the state of a room, which has no place in the journal. */
static const char *act_json(struct view *v, const char *type, const uint8_t *f, const struct room_act *a, struct text why)
{
    char number[HOST_NUMBER_SIZE];
    json_t *o = object(type);
    add_entry(v, o, f, a->user);
    json_object_set_new(o, "act", json_string(words[a->act].name));
    if (act_aims(a->act)) {
        json_object_set_new(o, "target_user", string(a->target));
        json_object_set_new(o, "target_host", string(host_name(v, a->host, number)));
    }
    if (a->act == ACT_TOPIC)
        json_object_set_new(o, "topic", string(a->topic));
    if (act_of_mode(a->act))
        json_object_set_new(o, "mode", json_string(modes[a->mode]));
    if (why.len > 0)
        json_object_set_new(o, "why_not", string(why));
    if (frame_type(f) == FRAME_STATE)
        json_object_set_new(o, "cursor", json_integer((json_int_t)(frame_pos(f) + frame_stride(f))));
    return dump(v, o);
}

static const char *message_json(struct view *v, const uint8_t *f, struct text user, struct text text)
{
    json_t *o = object("message");
    add_entry(v, o, f, user);
    json_object_set_new(o, "text", string(text));
    if (frame_flags(f) & FRAME_ACTION)
        json_object_set_new(o, "action", json_true());
    json_object_set_new(o, "cursor", json_integer((json_int_t)(frame_pos(f) + frame_stride(f))));
    return dump(v, o);
}

/* ---- lines ---- */

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
    put_name(l, host_name(v, host, number));
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

static const char *message_line(struct view *v, const uint8_t *f, struct text user, struct text text)
{
    struct line l = {v->line, 0, LINE_MAX_BYTES};
    bool action = frame_flags(f) & FRAME_ACTION;
    put_day(v, &l, f);
    put_id(v, &l, f);
    put_time(v, &l, f);
    puts_line(&l, action ? "* " : "");
    put_who(v, &l, frame_origin(f), user);
    puts_line(&l, action ? " " : ": ");
    put_text(v, &l, text);
    return v->line;
}

/* put_act -- who did what to whom. */
static void put_act(struct view *v, struct line *l, const uint8_t *f, const struct room_act *a)
{
    bool aims = act_aims(a->act), none = a->act == ACT_TOPIC && a->topic.len == 0;
    put_who(v, l, aims ? a->host : frame_origin(f), aims ? a->target : a->user);
    puts_line(l, aims ? " was " : " ");
    puts_line(l, none ? "took the topic away" : words[a->act].said);
    if (aims) {
        puts_line(l, " by ");
        put_who(v, l, frame_origin(f), a->user);
    }
    if (act_of_mode(a->act))
        puts_line(l, modes[a->mode]);
    put_one_line(v, l, a->topic);
}

static const char *act_line(struct view *v, const uint8_t *f)
{
    struct line l = {v->line, 0, LINE_MAX_BYTES};
    struct room_act a;
    if (read_room_act(f, &a) < 0)
        return "";
    if (v->o.json)
        return act_json(v, "state", f, &a, text_of(""));
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

static const char *fact_row(struct view *v, const uint8_t *f)
{
    struct line l = {v->line, 0, LINE_MAX_BYTES};
    struct fact_row r;
    char label[16];
    if (read_fact_row(f, &r) < 0 || (r.why.len == 0 && !words[r.act.act].fact))
        return "";
    if (v->o.json)
        return act_json(v, r.why.len > 0 ? "no-effect" : "fact", f, &r.act, r.why);
    snprintf(label, sizeof label, "%-10s", r.why.len > 0 ? "no effect" : words[r.act.act].fact);
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
        puts_line(&l, modes[r.act.mode]);
    }
    if (v->o.why)
        put_why(v, &l, f, r.act.user);
    puts_line(&l, "\n");
    return v->line;
}

static const char *change_line(struct view *v, const uint8_t *f)
{
    struct line l = {v->line, 0, LINE_MAX_BYTES};
    struct room_change c;
    if (v->o.json || read_room_change(f, &c) < 0)
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

static const char *notice_line(struct view *v, const uint8_t *f)
{
    struct line l = {v->line, 0, LINE_MAX_BYTES};
    struct reasoned r;
    if (v->o.json || read_reasoned(f, &r) < 0)
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

static const char *gone_json(struct view *v, const uint8_t *f, const struct gone *g)
{
    json_t *o = object("gone");
    json_object_set_new(o, "room", string(port_room_name(v->port, frame_room(f))));
    if (frame_origin(f))
        json_object_set_new(o, "host", string(port_host(v->port, frame_origin(f))));
    json_object_set_new(o, "messages", json_integer((json_int_t)g->messages));
    json_object_set_new(o, "why", json_string(g->why == GAP_AWAY ? "away" : "old"));
    add_stamp(o, "from", g->hlc_min);
    add_time(o, frame_hlc(f));
    return dump(v, o);
}

/* gone_line -- "412 messages of alpha between 12 Oct 14:03 and 20 Oct 09:11 are no longer kept: they were said while this
 * host was away." */
static const char *gone_line(struct view *v, const uint8_t *f)
{
    struct line l = {v->line, 0, LINE_MAX_BYTES};
    struct gone g;
    char number[32];
    if (read_gone(f, &g) < 0)
        return "";
    if (v->o.json)
        return gone_json(v, f, &g);
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

static const char *who_row(struct view *v, const uint8_t *f)
{
    struct line l = {v->line, 0, LINE_MAX_BYTES};
    struct who_row w;
    if (read_who_row(f, &w) < 0)
        return "";
    if (v->o.json) {
        json_t *o = object("who");
        json_object_set_new(o, "user", string(w.user));
        json_object_set_new(o, "host", string(w.host));
        json_object_set_new(o, "sessions", json_integer(w.sessions));
        return dump(v, o);
    }
    put_name(&l, w.user);
    puts_line(&l, "@");
    put_name(&l, w.host);
    puts_line(&l, "\n");
    return v->line;
}

static const char *room_row(struct view *v, const uint8_t *f)
{
    struct line l = {v->line, 0, LINE_MAX_BYTES};
    struct room_row r;
    char numbers[96], called[CALLED_MAX + 1];
    if (read_room_row(f, &r) < 0)
        return "";
    bool between_two = direct_is(r.name);
    port_call(v->port, r.name, called);
    if (v->o.json) {
        json_t *o = object("room");
        json_object_set_new(o, "room", json_string(called));
        if (!between_two)
            json_object_set_new(o, "members", json_integer(r.members));
        json_object_set_new(o, "messages", json_integer((json_int_t)r.messages));
        if (r.topic.len > 0)
            json_object_set_new(o, "topic", string(r.topic));
        if (frame_hlc(f))
            add_time(o, frame_hlc(f));
        return dump(v, o);
    }
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

const char *view_frame(struct view *v, const uint8_t *f)
{
    struct say s;
    switch (frame_type(f)) {
    case FRAME_SAY:
        if (read_say(f, &s) < 0 || !assemble(v, f, &s.text))
            return "";
        v->messages++;
        return v->o.json ? message_json(v, f, s.user, s.text) : message_line(v, f, s.user, s.text);
    case FRAME_STATE:
        return act_line(v, f);
    case FRAME_FACT:
        return fact_row(v, f);
    case FRAME_JOIN:
    case FRAME_LEAVE:
        return change_line(v, f);
    case FRAME_GONE:
        return gone_line(v, f);
    case FRAME_NOTICE:
    case FRAME_REFUSED:
        return notice_line(v, f);
    case FRAME_WHO:
        return who_row(v, f);
    case FRAME_ROOM:
        return room_row(v, f);
    default:
        return "";
    }
}

/* ---- times that people type ---- */

static int ago(const char *text, uint64_t now_wall, uint64_t *ms)
{
    static const struct {
        char unit;
        uint64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    char *end;
    errno = 0;
    unsigned long n = strtoul(text + 1, &end, 10);
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (end != text + 1 && end[0] == units[i].unit && end[1] == '\0' && errno == 0 && n <= now_wall / units[i].ms) {
            *ms = now_wall - n * units[i].ms;
            return 0;
        }
    return -EINVAL;
}

int when_from_text(const char *text, uint64_t now_wall, uint64_t *ms)
{
    static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%H:%M:%S", "%H:%M"};
    if (text[0] == '-')
        return ago(text, now_wall, ms);
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        time_t now = (time_t)(now_wall / 1000);
        struct tm tm;
        localtime_r(&now, &tm);
        tm.tm_sec = tm.tm_min = tm.tm_hour = 0;
        tm.tm_isdst = -1;
        const char *end = strptime(text, forms[i], &tm);
        time_t t = end && *end == '\0' ? mktime(&tm) : -1;
        if (t < 0)
            continue;
        *ms = (uint64_t)t * 1000;
        return 0;
    }
    return -EINVAL;
}

/* acts.c -- a table of words. */
#include "acts.h"

const struct act_words act_words[ACTS_END] = {
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

const char *const mode_words[MODES_END] = {[MODE_TOPIC_BY_OPERATORS] = "topic-by-operators"};

uint8_t act_of_name(const char *name)
{
    uint8_t act = ACT_OWN;
    while (act < ACTS_END && strcmp(act_words[act].name, name) != 0)
        act++;
    return act < ACTS_END ? act : 0;
}

uint8_t mode_of_name(const char *name)
{
    uint8_t mode = 1;
    while (mode < MODES_END && strcmp(mode_words[mode], name) != 0)
        mode++;
    return mode < MODES_END ? mode : 0;
}

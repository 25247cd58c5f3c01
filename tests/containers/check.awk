# check.awk -- what was promised to clients, against what clients saw.  Reads nothing but their logs:
#
#   said.*   `sent TEXT` before a client gave it to its relay, `acked TEXT` after that relay had acknowledged it
#   log.*    `chat log --json` of a host, the whole room
#   tail.*   `chat tail -f --json` of a client that was there from the first message to the last
#   late.*   the same of one that was not
#
# A text is USER@HOST[/MORE] NUMBER, the numbers of each writer rising.
#
# usage: awk -f check.awk FILE...    exit 0: every acknowledged message everywhere, once, in the same order
function wrong(what) {
    if (++wrongs <= 20)
        print name ": " what
}

function field(key, at) {
    at = index($0, "\"" key "\":\"")
    return at ? substr($0, at + length(key) + 4, index(substr($0, at + length(key) + 4), "\"") - 1) : ""
}

BEGIN {
    for (i = 1; i < ARGC; i++) { # an empty file is a file, too
        n = split(ARGV[i], part, "/")
        kind = part[n]
        sub(/\..*/, "", kind)
        files[part[n]] = kind
        if (kind != "said")
            n_of[kind]++
        argument[kind == "said", n_of[kind == "said" ? kind : "seen"]++] = ARGV[i]
    }
    for (i = 1; i < ARGC; i++) # what was sent comes first
        ARGV[i] = i <= n_of["said"] ? argument[1, i - 1] : argument[0, i - 1 - n_of["said"]]
}

FNR == 1 {
    n = split(FILENAME, part, "/")
    name = part[n]
}

files[name] == "said" {
    text = $2 " " $3
    if ($1 == "sent")
        sent[text] = 1
    else if ($1 == "acked" && !(text in sent))
        wrong("acknowledged but not sent: " text)
    else if ($1 == "acked")
        acked[text] = 1
    next
}

/"type":"message"/ {
    text = field("text")
    split(text, word, " ")
    writer = word[1]
    sub(/\/.*/, "", writer)
    if (!(text in sent))
        wrong("nobody sent this: " text)
    if (writer != field("user") "@" field("host"))
        wrong("shown as " field("user") "@" field("host") "'s: " text)
    if ((name, text) in seen)
        wrong("twice: " text)
    else if (word[2] + 0 <= last[name, word[1]] + 0)
        wrong("before an earlier one of the same writer: " text)
    seen[name, text] = 1
    last[name, word[1]] = word[2]
    if (files[name] == "log") {
        sub(/,"cursor":[0-9]*/, "") # a place on that host
        place = ++lines[name]
        if (!(place in order))
            order[++places] = $0
        else if (order[place] != $0 && !differs[name]++)
            wrong("another order, from line " place ": " text)
    }
}

END {
    for (text in acked) {
        n_acked++
        for (name in files)
            if (files[name] != "said" && files[name] != "late" && !((name, text) in seen))
                wrong((files[name] == "log" ? "lost: " : "never shown: ") text)
    }
    for (text in sent)
        n_sent++
    for (name in files)
        if (files[name] == "log" && lines[name] < places)
            wrong("ends before another does")
    name = "check"
    if (n_of["log"] < 2 || n_acked == 0)
        wrong("nothing to compare")
    printf "%d sent, %d acknowledged; %d logs, %d clients that watched: %s\n", n_sent, n_acked, n_of["log"],
        n_of["tail"] + n_of["late"], wrongs ? wrongs " WRONG" : "every acknowledged one everywhere, once, in the same order"
    exit wrongs > 0
}

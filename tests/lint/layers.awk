# layers.awk -- print every #include that the table in tests/lint/layers does not allow.
FNR == NR {
    if ($1 ~ /^[a-z]/) { f = $1; sub(/:.*/, "", f); for (i = 2; i <= NF; i++) ok[f, $i] = 1 }
    next
}
FNR == 1 { dir = FILENAME; sub(/\/[^\/]*$/, "", dir); self = dir; sub(/.*\//, "", self) }
/^#include "/ {
    split($2, q, "\""); n = split(q[2], p, "/")
    if (q[2] ~ /\.\./ || (n > 1 && p[1] != self && !((dir, p[1]) in ok))) {
        printf "%s:%d: %s/ may not include %s\n", FILENAME, FNR, dir, q[2]; bad = 1
    }
}
END { exit bad }

#!/usr/bin/env bats
# terminal.bats -- chat as people see it, in real terminals.
load helper


@test "two terminals see each other; a half-typed line survives" {
    start
    terminal one
    until_true 5 shows one '#lobby>'
    terminal two
    until_true 5 shows two '#lobby>'
    keys two 'half a line'
    until_true 5 shows two 'half a line'
    keys one 'hello two' Enter
    until_true 5 shows two ': hello two'
    until_true 5 shows one ': hello two'
    not shows one '#lobby> hello two' # in its place now, not also where it was typed
    shows two '#lobby> half a line'
    keys two ' is whole' Enter
    until_true 5 shows one ': half a line is whole'
    keys one C-d
    keys two /quit Enter
    until_true 5 bash -c "! tmux -S $dir/tmux has-session 2>/dev/null"
}

@test "a line being typed fits a window that becomes narrower" {
    start
    terminal one
    until_true 5 shows one '#lobby>'
    keys one 'a line that is typed in a wide window'
    until_true 5 shows one 'wide window'
    tmux -S "$dir/tmux" resize-window -t one -x 30
    until_true 5 eval '[ "$(tmux -S "$dir/tmux" display -p -t one "#{pane_width}")" = 30 ]'
    keys one C-a 'NOW '
    until_true 5 shows one '#lobby> NOW a line that is typ'
    until_true 5 eval 'screen one | grep -qx "ed in a wide window"'
    keys one Enter
    until_true 5 eval 'chat log lobby | grep -q ": NOW a line that is typed in a wide window"'
}

@test "SIGTERM ends it at once" {
    start
    terminal one
    until_true 5 shows one '#lobby>'
    local pane
    pane=$(tmux -S "$dir/tmux" display -p -t one '#{pane_pid}')
    kill "$(pgrep -P "$pane" -x chat || echo "$pane")"
    until_true 5 bash -c "! tmux -S $dir/tmux has-session -t one 2>/dev/null"
}

@test "the first one on a host is told that a relay was started, the second is not" {
    terminal one
    until_true 10 shows one '#lobby>'
    shows one 'A relay of your own was started'
    remember
    terminal two
    until_true 5 shows two '#lobby>'
    not shows two 'was started'
}

@test "commands: /join, /who, /rooms, /help, an unknown one" {
    start
    terminal one
    until_true 5 shows one '#lobby>'
    keys one '/join #Build' Enter
    until_true 5 shows one '#build>'
    keys one 'in build' Enter
    until_true 5 shows one ': in build'
    keys one '/who' Enter
    keys one '/nonsense' Enter
    until_true 5 shows one 'no such command'
    keys one '/help' Enter
    until_true 5 shows one 'one slash less'
    shows one '/ban      USER ' # all of it on one screen
    [ "$(screen one | grep -c '^-- /')" -eq "$(screen one | sed -n '/^-- .ban/,/^-- .who/p' | wc -l)" ] # and a line for each
    keys one '/leave' Enter
    until_true 5 shows one '#lobby>'
}

@test "the relay dies and comes back under an open terminal" {
    start
    terminal one
    until_true 5 shows one '#lobby>'
    kill -9 "$(pid_of worker/0)" "$(pid_of worker/1)" "$(pid_of keeper)" 2>/dev/null || true
    keys one 'still here' Enter
    until_true 10 shows one ': still here'
    [ "$(chat log --json lobby | grep -c 'still here')" -eq 1 ]
}

@test "what was typed waits above the prompt while nobody takes it, and what comes meanwhile goes above it" {
    start
    terminal one
    until_true 5 shows one '#lobby>'
    frozen="$(relay_pid) $(pid_of worker/0) $(pid_of worker/1)" # the supervisor, too: it would replace them
    kill -STOP $frozen
    keys one 'first' Enter 'second' Enter 'third, half'
    until_true 5 shows one '#lobby> third, half'
    [ "$(screen one | sed -n '/> first/,$p' | sed 's/ *$//' | head -3)" = $'#lobby> first\n#lobby> second\n#lobby> third, half' ]
    kill -CONT $frozen
    until_true 10 shows one ': second'
    [ "$(screen one | grep -c 'first\|second')" -eq 2 ]
    shows one '#lobby> third, half'
}

@test "a long line in any letters, too, is shown once, in its place" {
    start
    terminal one 40 12
    until_true 5 shows one '#lobby>'
    for line in 'a line that is longer than this terminal is wide' 'größer als eine Zeile dieses Fensters ist' '日本語日本語日本語日本語日本語日本語日本語'; do
        keys one "$line" Enter
        until_true 5 shows one ": ${line:0:8}"
    done
    [ "$(screen one | grep -c '^#lobby>')" -eq 1 ]
}

@test "a room of one's own: /create, /topic, /show, /op, and what may not be" {
    start
    terminal one
    until_true 5 shows one '#lobby>'
    keys one '/create build' Enter
    until_true 5 shows one 'created the room'
    keys one '/topic Ship it' Enter
    until_true 5 shows one 'set the topic: Ship it'
    terminal two
    until_true 5 shows two '#lobby>'
    keys two '/join build' Enter
    until_true 5 shows two '-- topic     Ship it'
    keys one '/op bob' Enter
    until_true 5 shows two 'bob@'
    shows two 'was made an operator by'
    keys two '/show' Enter
    until_true 5 shows two 'operator  bob@'
    keys two '/topic' Enter
    until_true 5 shows two '-- topic     Ship it'
    ! screen two | grep -q '#build>.*#build>' # the prompt comes once
    keys two '/create build' Enter
    until_true 5 shows two 'an owner already'
    keys two '/unban carl' Enter
    until_true 5 shows two 'nothing to take back'
    keys two '/kick' Enter
    until_true 5 shows two 'whom?'
    keys one C-d
    keys two C-d
    until_true 5 bash -c "! tmux -S $dir/tmux has-session 2>/dev/null"
}

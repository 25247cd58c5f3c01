#!/usr/bin/perl
# report.pl -- what the benchmarks said (JSON lines on standard input) as a page with plots: docs/PERFORMANCE.md.
#
# usage: make bench J=1 | report.pl INTRODUCTION DIRECTORY
use strict;
use warnings;
use JSON::PP;

my ($introduction, $docs) = @ARGV;
my (%rows, @order);
while (my $line = <STDIN>) {
    next unless $line =~ /^\{/;
    my $row = decode_json($line);
    push @order, $row->{bench} unless $rows{$row->{bench}};
    push @{$rows{$row->{bench}}}, $row;
}

sub value { my ($v) = @_; return ref $v ? $v->{median} : $v; }

# human -- three digits are enough.
sub human {
    my ($v, $key) = @_;
    $v = value($v);
    return sprintf('%.2f M', $v / 1e6) if $key =~ /per_s$|bytes/ && abs $v >= 1e6;
    return sprintf('%.1f k', $v / 1e3) if $key =~ /per_s$|bytes/ && abs $v >= 1e4;
    return sprintf('%.0f', $v) if abs $v >= 100 || $v == int $v;
    return sprintf('%.1f', $v) if abs $v >= 10;
    return sprintf('%.2f', $v);
}

sub cell {
    my ($v, $key) = @_;
    my $text = human($v, $key);
    return $text unless ref $v && $v->{median} && $v->{max} > $v->{min};
    return sprintf('%s ±%.0f %%', $text, 50 * ($v->{max} - $v->{min}) / $v->{median});
}

sub machine {
    my ($cpu, $cores, $memory) = ('unknown processor', 0, 0);
    open my $f, '<', '/proc/cpuinfo' or die;
    while (<$f>) { $cores++ if /^processor/; $cpu = $1 if /^model name\s*:\s*(.*)/; }
    open $f, '<', '/proc/meminfo' or die;
    while (<$f>) { $memory = $1 / 1048576 if /^MemTotal:\s*(\d+)/; }
    chomp(my $kernel = `uname -sr`);
    chomp(my $day = `date +%F`);
    return sprintf '%s, %d cores of a virtual machine with %.0f GiB, %s, %s', $cpu, $cores, $memory, $kernel, $day;
}

# ---- plots ----

my %color = (chat => '#c0392b', 'FIFO floor' => '#999999', 'TCP floor' => '#555555', Redis => '#2980b9', NATS => '#27ae60',
    InspIRCd => '#8e44ad', ngircd => '#d68910');

# plot -- lines over a logarithmic axis; a series is [name, [x, y], ...].
sub plot {
    my ($file, $title, $x_title, $y_title, $log_y, @series) = @_;
    my ($w, $h, $l, $bottom) = (720, 400, 80, 50);
    my (@x, @y);
    for my $s (@series) { for my $p (@{$s}[1 .. $#$s]) { push @x, $p->[0]; push @y, $p->[1]; } }
    return unless @x;
    @x = sort { $a <=> $b } @x;
    @y = sort { $a <=> $b } @y;
    my ($x0, $x1) = (log $x[0], log $x[-1]);
    my ($y0, $y1) = $log_y ? (log($y[0] * 0.8), log($y[-1] * 1.25)) : (0, $y[-1] * 1.05);
    my $px = sub { $l + (log($_[0]) - $x0) / (($x1 - $x0) || 1) * ($w - $l - 150) };
    my $py = sub { $h - $bottom - (($log_y ? log $_[0] : $_[0]) - $y0) / ($y1 - $y0) * ($h - $bottom - 40) };
    open my $f, '>', "$docs/$file" or die "$docs/$file: $!";
    print $f qq(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 $w $h" font-family="sans-serif" font-size="12">\n);
    print $f qq(<rect width="$w" height="$h" fill="white"/><text x="$l" y="22" font-size="14">$title</text>\n);
    my %seen;
    for my $x (grep { !$seen{$_}++ } @x) {
        printf $f qq(<line x1="%.1f" y1="40" x2="%.1f" y2="%d" stroke="#eee"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>\n),
            $px->($x), $px->($x), $h - $bottom, $px->($x), $h - $bottom + 18, $x;
    }
    my @ticks = $log_y ? grep { $_ >= exp $y0 && $_ <= exp $y1 } map { my $e = $_; map { $_ * 10**$e } 1, 2, 5 } 0 .. 7
        : map { $_ * 10**int(log($y1) / log 10) / ($y1 / 10**int(log($y1) / log 10) < 3 ? 5 : 1) } 0 .. 15;
    for my $y (grep { ($log_y ? log $_ : $_) <= $y1 } @ticks) {
        printf $f qq(<line x1="$l" y1="%.1f" x2="%d" y2="%.1f" stroke="#eee"/><text x="%d" y="%.1f" text-anchor="end">%s</text>\n),
            $py->($y), $w - 150, $py->($y), $l - 6, $py->($y) + 4, $y >= 1e6 ? sprintf('%g M', $y / 1e6) : $y;
    }
    printf $f qq(<text x="%d" y="%d" text-anchor="middle">%s</text>\n), ($l + $w - 150) / 2, $h - 12, $x_title;
    printf $f qq(<text x="16" y="%d" text-anchor="middle" transform="rotate(-90 16 %d)">%s</text>\n), $h / 2, $h / 2, $y_title;
    my $legend = 50;
    for my $s (@series) {
        my ($name, @points) = @$s;
        my $c = $color{$name} // '#000';
        printf $f qq(<polyline fill="none" stroke="%s" stroke-width="%s" points="%s"/>\n), $c, $name eq 'chat' ? 3 : 1.5,
            join ' ', map { sprintf '%.1f,%.1f', $px->($_->[0]), $py->($_->[1]) } @points;
        printf $f qq(<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>\n), $px->($_->[0]), $py->($_->[1]), $c for @points;
        printf $f qq(<rect x="%d" y="%d" width="12" height="3" fill="%s"/><text x="%d" y="%d">%s</text>\n), $w - 140, $legend - 4, $c,
            $w - 122, $legend, $name;
        $legend += 18;
    }
    print $f "</svg>\n";
}

# series -- of a bench: by name, `y` over `x`, of the rows for which `if` holds.
sub series {
    my ($bench, $x, $y, $if) = @_;
    my (%s, @names);
    for my $r (grep { $if->($_) } @{$rows{$bench} // []}) {
        push @names, $r->{who} unless $s{$r->{who}};
        push @{$s{$r->{who}}}, [value($r->{$x}), value($r->{$y})];
    }
    return map { [$_, @{$s{$_}}] } @names;
}

plot('performance-fanout.svg', 'Deliveries per second, one pipelined sender, all readers in one process', 'readers of the room',
    'deliveries/s', 0, series('fanout', 'readers', 'deliveries_per_s', sub { 1 }));
plot('performance-latency.svg', 'Send to shown at the last reader, p50, 1,000 messages per second', 'readers of the room', 'µs', 1,
    series('latency', 'readers', 'last_p50_us', sub { value($_[0]{rate}) == 1000 }));

# ---- targets ----

sub row {
    my ($bench, %is) = @_;
    for my $r (@{$rows{$bench} // []}) {
        return $r unless grep { !defined $r->{$_} || value($r->{$_}) ne $is{$_} } keys %is;
    }
    return undef;
}

sub best {
    my ($bench, $key, $less, %is) = @_;
    my $best;
    for my $r (@{$rows{$bench} // []}) {
        next if $r->{who} =~ /^chat|floor/ || !defined $r->{$key} || grep { value($r->{$_}) ne $is{$_} } keys %is;
        $best = $r if !$best || ($less ? value($r->{$key}) < value($best->{$key}) : value($r->{$key}) > value($best->{$key}));
    }
    return $best;
}

my @targets;

# target -- ours against a limit, and against the best peer times a factor.
sub target {
    my ($what, $ours, $key, $limit, $less, $best, $factor) = @_;
    return unless $ours && defined $ours->{$key};
    my $v = value($ours->{$key});
    my $met = !defined $limit || ($less ? $v <= $limit : $v >= $limit);
    my ($against, $ratio, $peer_met) = ('', '', 1);
    if ($best) {
        my $p = value($best->{$key});
        $against = "$best->{who} " . human($best->{$key}, $key);
        $ratio = sprintf '%.2f ×', $v / $p;
        $peer_met = $less ? $v <= $factor * $p : $v >= $factor * $p;
        $ratio .= sprintf ' (%s %.2g)', $less ? '≤' : '≥', $factor;
    }
    push @targets, sprintf '| %s | %s | %s | %s | %s | %s |', $what, cell($ours->{$key}, $key),
        defined $limit ? ($less ? '≤ ' : '≥ ') . human($limit, $key) : '', $against, $ratio, $met && $peer_met ? 'yes' : 'no';
}

for my $t ([2, 1.7e6, 1], [10, 8e6, 2], [100, 12e6, 2.5], [1000, 9e6, 3]) {
    my ($n, $limit, $factor) = @$t;
    target("fan-out to $n, deliveries/s", row('fanout', who => 'chat', readers => $n), 'deliveries_per_s', $limit, 0,
        best('fanout', 'deliveries_per_s', 0, readers => $n), $factor);
}
target("relay CPU per delivery at $_->[0], ns", row('fanout', who => 'chat', readers => $_->[0]), 'server_cpu_ns', $_->[1], 1,
    best('fanout', 'server_cpu_ns', 1, readers => $_->[0]), 0.4) for [100, 80], [1000, 120];
target('100 rooms of 10, 10 senders, deliveries/s', row('rooms', who => 'chat'), 'deliveries_per_s', 3e6, 0,
    best('rooms', 'deliveries_per_s', 0), 3);
for my $n (2, 10, 100) {
    for my $q ('50', '99') {
        target("latency to the last of $n at 1,000/s, p$q, µs", row('latency', who => 'chat', readers => $n, rate => 1000),
            "last_p${q}_us", undef, 1, best('latency', "last_p${q}_us", 1, readers => $n, rate => 1000), 1);
    }
}
target('durable acknowledgement alone, p50, µs', row('durable'), 'ack_p50_us', 500, 1);
target('the same : bare fdatasync', row('durable'), 'ratio', 2, 1);
target('over one TLS link, messages/s', row('link', who => 'chat'), 'one_way_per_s', 0.5e6, 0, best('link', 'one_way_per_s', 0), 1);
target('link, send to shown, p50, µs', row('link', who => 'chat'), 'p50_us', 250, 1);
target('link, send to shown, p99, µs', row('link', who => 'chat'), 'p99_us', 600, 1);
target('100,000 messages merged after a cut, ms', row('cut'), 'merged_ms', 1000, 1);
target('start to the first durable message, a million messages kept, p50, µs', row('start', who => 'chat, full'), 'first_p50_us', 15000, 1);
target('search in a million messages, p50, µs', row('a phrase'), 'p50_us', 20000, 1);
target('the same, p99, µs', row('a phrase'), 'p99_us', 50000, 1);
target('a page of 100 of a million, p50, µs', row('100, 0 to 100 days ago'), 'p50_us', 2000, 1);
target('idle session, bytes of relay memory', row('idle'), 'bytes_per_session', 512, 1);
target("half of 1,000 members stopped: the others' p99 : all read", row('stopped', members => 1000), 'p99_ratio', 1.1, 1);
target('join storm, sessions/s', row('idle', who => 'FIFOs on tmpfs'), 'at_once_per_s', 20000, 0);

# ---- the page ----

open my $out, '>', "$docs/PERFORMANCE.md" or die "$docs/PERFORMANCE.md: $!";
open my $in, '<', $introduction or die "$introduction: $!";
while (<$in>) {
    s/\@MACHINE\@/machine()/e;
    if (/^\@TARGETS\@$/) {
        print $out "| work | chat | target | best peer | ratio | met |\n|---|---|---|---|---|---|\n", join("\n", @targets), "\n";
        next;
    }
    if (/^\@TABLES\@$/) {
        my $before = '';
        for my $bench (@order) { # those with the same columns are one table
            my @keys = ('bench', grep { $_ ne 'bench' } keys_of($bench));
            print $out "\n| ", join(' | ', @keys), " |\n|", '---|' x @keys, "\n" if $before ne "@keys";
            $before = "@keys";
            for my $r (@{$rows{$bench}}) {
                print $out '| ', join(' | ', map { /^(who|bench)$/ || !defined $r->{$_} ? $r->{$_} // '' : cell($r->{$_}, $_) } @keys), " |\n";
            }
        }
        next;
    }
    print $out $_;
}

# keys_of -- who and what first, then as the table has them.
sub keys_of {
    my ($bench) = @_;
    my %rank = (who => 0, readers => 1, rate => 2, lost => 98, doubled => 99);
    return sort { ($rank{$a} // 50) <=> ($rank{$b} // 50) || $a cmp $b } keys %{$rows{$bench}[0]};
}

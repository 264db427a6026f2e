package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// lagSeconds is how long a paced program prints.
const lagSeconds = 10

// benchLag tells how far behind a reader is whose program prints so many lines a
// second: each line says when it was written.
func benchLag(ctx context.Context, r *rig) (t table, err error) {
	t = table{
		title:   fmt.Sprintf("How far a reader is behind a program that prints lines of %d bytes for %d s", lineWidth, lagSeconds),
		columns: []string{"lines per second", "reader", "median", "at most", "after the program's end"},
	}
	s, pin, err := r.ready(ctx, "lag", 1)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	host := r.fleet.Hosts[0]
	for _, rate := range []int{10_000, 50_000, 100_000} {
		args := []string{"paced", fmt.Sprint(rate * lagSeconds), fmt.Sprint(rate), fmt.Sprint(lineWidth)}
		ours := &lags{}
		cmd := s.Command(ctx, append([]string{"run", "--network", "none", "lag", "--"}, args...)...)
		cmd.Stdout = ours
		if err := cmd.Run(); err != nil {
			return t, fmt.Errorf("%s: %w", cmd, err)
		}
		ours.report(&t, rate, "prewarm run")
		if err := newEngine(host).rest(ctx); err != nil {
			return t, err
		}
		started, err := r.dockerCommand(ctx, host, append([]string{"run", "--detach", "--network", "none", pin}, args...)...).Output()
		if err != nil {
			return t, fmt.Errorf("docker run --detach: %w", err)
		}
		theirs, id := &lags{}, strings.TrimSpace(string(started))
		cmd = r.dockerCommand(ctx, host, "logs", "--follow", id)
		cmd.Stdout = theirs
		if err := cmd.Run(); err != nil {
			return t, fmt.Errorf("%s: %w", cmd, err)
		}
		theirs.report(&t, rate, "docker logs -f")
		if err := r.dockerCommand(ctx, host, "rm", "--force", id).Run(); err != nil {
			return t, fmt.Errorf("docker rm: %w", err)
		}
	}
	return t, nil
}

// lags notes, of each piece that comes, how old its first line is.
type lags struct {
	all  []time.Duration
	held []byte // the beginning of a line
	last time.Duration
}

func (l *lags) Write(b []byte) (int, error) {
	now := time.Now()
	text := slices.Concat(l.held, b)
	end := bytes.LastIndexByte(text, '\n') + 1
	if end > 0 {
		first, _, _ := bytes.Cut(text, []byte{'\n'})
		age, err := ageOf(first, now)
		if err != nil {
			return 0, err
		}
		l.all = append(l.all, age)
		lastLine := text[bytes.LastIndexByte(text[:end-1], '\n')+1 : end-1]
		if l.last, err = ageOf(lastLine, now); err != nil {
			return 0, err
		}
	}
	l.held = bytes.Clone(text[end:])
	return len(b), nil
}

// ageOf reads a line of "program paced".
func ageOf(line []byte, now time.Time) (time.Duration, error) {
	f := bytes.Fields(line)
	if len(f) != 2 {
		return 0, fmt.Errorf("the program does not print %q", line)
	}
	at, err := strconv.ParseInt(string(f[1]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the program does not print %q", line)
	}
	return now.Sub(time.Unix(0, at)), nil
}

func (l *lags) report(t *table, rate int, reader string) {
	t.add(fmt.Sprint(rate), reader, millis(median(l.all)), millis(quantile(l.all, 1)), millis(l.last))
}

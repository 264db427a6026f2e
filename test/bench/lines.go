package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/prewarm/prewarm/test/fleet"
)

const (
	// lineWidth is how long the lines are, in bytes without the line feed.
	lineWidth = 60
	// linesAim is what of docker logs -f's lines per second is wanted.
	linesAim = 0.8
)

// benchLines compares how fast lines get from a program to a reader: prewarm run
// against docker logs -f, without and with timestamps, and docker run attached,
// which does not go through the engine's log. From the container's start until
// the reader has the last line; the reader counts them and compares their text.
func benchLines(ctx context.Context, r *rig) (t table, err error) {
	t = table{
		title:   fmt.Sprintf("%d lines of %d bytes, from the container's start to the reader's last line", r.lines, lineWidth),
		columns: []string{"reader", "rounds", "time", "lines per second", "of docker logs -f", "aim"},
	}
	s, pin, err := r.ready(ctx, "lines", 1)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	l := &lineReader{rig: r, host: r.fleet.Hosts[0], pin: pin, server: s}
	l.engine = newEngine(l.host)
	readers := []struct {
		name string
		read way
	}{
		{"prewarm run", l.prewarm},
		{"docker logs -f", func(ctx context.Context) (time.Duration, error) { return l.logs(ctx) }},
		{"docker logs -f -t", func(ctx context.Context) (time.Duration, error) { return l.logs(ctx, "-t") }},
		{"docker run", l.attached},
	}
	var ways []way
	for _, reader := range readers {
		ways = append(ways, reader.read)
	}
	took, err := byTurns(ctx, r.rounds, l.engine.rest, ways...)
	if err != nil {
		return t, err
	}
	for i, reader := range readers {
		q := ratioOf(took[1], took[i]) // of lines per second, and so upside down
		aim := "none"
		if i == 0 {
			aim = verdict(fmt.Sprintf("≥ %.2f", linesAim), q.value >= linesAim)
		}
		t.add(reader.name, fmt.Sprint(r.rounds), spread(took[i]), fmt.Sprintf("%.0f", float64(r.lines)/median(took[i]).Seconds()), q.String(), aim)
	}
	return t, nil
}

// ready pushes an image and starts a server on the first hosts, with room for
// runs, that has it warm.
func (r *rig) ready(ctx context.Context, name string, hosts int) (s *server, pin string, err error) {
	if pin, err = r.push(ctx, name, fleet.ProgramImage(name)); err != nil {
		return nil, "", err
	}
	if s, err = r.serveSetup(ctx, name, r.roomy(hosts, r.image(name))); err != nil {
		return nil, "", err
	}
	if err := s.awaitCurrent(ctx, name, digest(pin)); err != nil {
		return nil, "", errors.Join(err, s.close())
	}
	return s, pin, nil
}

// lineReader has the ways to read a program's lines.
type lineReader struct {
	*rig
	host   *fleet.Host
	engine *engine
	server *server
	pin    string
}

func (l *lineReader) command() []string {
	return []string{"count", fmt.Sprint(l.lines), fmt.Sprint(lineWidth)}
}

func (l *lineReader) prewarm(ctx context.Context) (time.Duration, error) {
	status := filepath.Join(l.dir, "status.json")
	out := newSink()
	if err := runInto(out, l.server.Command(ctx, append([]string{"run", "--network", "none", "--status-file", status, "lines", "--"}, l.command()...)...)); err != nil {
		return 0, err
	}
	if err := out.expect(l.lines, lineWidth); err != nil {
		return 0, fmt.Errorf("prewarm run: %w", err)
	}
	text, err := os.ReadFile(status)
	if err != nil {
		return 0, err
	}
	var ended struct{ Run string }
	if err := json.Unmarshal(text, &ended); err != nil {
		return 0, fmt.Errorf("read %s: %w", status, err)
	}
	run, err := l.server.client.Run(ctx, ended.Run)
	if err != nil {
		return 0, err
	}
	if !run.Log.Complete {
		return 0, fmt.Errorf("run %s: its log is not complete: %s", run.ID, run.Log.Gap)
	}
	return out.last.Sub(*run.StartedAt), nil
}

// logs starts a container and then follows it.
func (l *lineReader) logs(ctx context.Context, flags ...string) (time.Duration, error) {
	started, err := l.dockerCommand(ctx, l.host, append([]string{"run", "--detach", "--network", "none", l.pin}, l.command()...)...).Output()
	if err != nil {
		return 0, fmt.Errorf("docker run --detach: %w", err)
	}
	id := strings.TrimSpace(string(started))
	out := newSink()
	if err := runInto(out, l.dockerCommand(ctx, l.host, append(append([]string{"logs", "--follow"}, flags...), id)...)); err != nil {
		return 0, err
	}
	if len(flags) == 0 {
		err = out.expect(l.lines, lineWidth)
	} else if out.lines != l.lines {
		err = fmt.Errorf("%d lines came of %d", out.lines, l.lines)
	}
	if err != nil {
		return 0, fmt.Errorf("docker logs: %w", err)
	}
	return l.since(ctx, id, out.last)
}

func (l *lineReader) attached(ctx context.Context) (time.Duration, error) {
	const name = "attached"
	out := newSink()
	if err := runInto(out, l.dockerCommand(ctx, l.host, append([]string{"run", "--name", name, "--network", "none", l.pin}, l.command()...)...)); err != nil {
		return 0, err
	}
	if err := out.expect(l.lines, lineWidth); err != nil {
		return 0, fmt.Errorf("docker run: %w", err)
	}
	return l.since(ctx, name, out.last)
}

// since tells how long before a moment a container was started, and removes it.
func (l *lineReader) since(ctx context.Context, id string, moment time.Time) (time.Duration, error) {
	var found struct{ State struct{ StartedAt time.Time } }
	if err := l.engine.call(ctx, http.MethodGet, "/containers/"+id+"/json", nil, &found); err != nil {
		return 0, err
	}
	return moment.Sub(found.State.StartedAt), l.engine.call(ctx, http.MethodDelete, "/containers/"+id+"?force=1", nil, nil)
}

// runInto lets a command print into a sink.
func runInto(out *sink, cmd *exec.Cmd) error {
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = out, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", cmd, err, strings.TrimSpace(said.String()))
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/test/fleet"
)

// gather finds out all that can be known at the end. The server was started
// anew just before, so it looks for what is left on the hosts by itself.
func (w *world) gather(ctx context.Context, b *book) (*findings, error) {
	f := &findings{book: b, faults: w.faults.all(), logs: map[string]*reading{}, tails: map[string][]string{}}
	var err error
	if f.runs, err = w.allRuns(ctx); err != nil {
		return nil, err
	}
	for _, run := range f.runs {
		if err := w.readWhole(ctx, f, run.ID); err != nil {
			return nil, fmt.Errorf("read the log of run %s: %w", run.ID, err)
		}
	}
	if f.ledger, err = readLedger(w.ledgerDir()); err != nil {
		return nil, err
	}
	for _, h := range w.fleet.Hosts {
		f.containers = append(f.containers, w.containersLeft(ctx, h)...)
	}
	if f.processes, err = processesOf(keysOf(w.seed)); err != nil {
		return nil, err
	}
	return f, w.measureLogs(f)
}

func (w *world) allRuns(ctx context.Context) ([]api.Run, error) {
	var all []api.Run
	for filter := (api.RunFilter{}); ; {
		page, err := w.client.RunsBy(ctx, filter)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Runs...)
		if filter.Before = page.Next; page.Next == "" {
			return all, nil
		}
	}
}

// readWhole reads a log from its first line, and compares it with what others
// have read.
func (w *world) readWhole(ctx context.Context, f *findings, id string) error {
	const tail = 10
	r := newReading()
	marks := f.book.marks[id]
	fits := func() {
		for _, m := range marks {
			if m.seq == r.seq && m.sum != r.sum && !slices.Contains(f.changed, id) {
				f.changed = append(f.changed, id)
			}
		}
	}
	err := w.client.Logs(ctx, id, 0, false, func(l api.LogLine) error {
		r.take(l)
		fits()
		f.tails[id] = append(f.tails[id], fmt.Sprint(l.Seq, " ", l.Time.Format(time.RFC3339Nano), " ", l.Stream, " ", l.Text))
		f.tails[id] = f.tails[id][max(0, len(f.tails[id])-tail):]
		return nil
	})
	if slices.ContainsFunc(marks, func(m mark) bool { return m.seq > r.seq }) {
		f.changed = append(f.changed, id)
	}
	f.logs[id] = r
	return err
}

// containersLeft are those of the server's that are there some minutes later: a
// removal that failed is tried again within one.
func (w *world) containersLeft(ctx context.Context, h *fleet.Host) (left []string) {
	err := await(ctx, patience, "the containers on "+h.Name+" to be gone", func() (bool, error) {
		out, err := exec.CommandContext(ctx, "docker", "--host", h.Socket, "ps", "--all", "--filter", "label=prewarm.run",
			"--format", "{{.Names}} {{.Status}}").CombinedOutput()
		if left = nil; len(out) > 0 {
			left = strings.Split(strings.TrimSpace(string(out)), "\n")
		}
		return err == nil && len(left) == 0, err
	})
	if err != nil {
		left = append(left, err.Error())
	}
	return left
}

// processesOf lists programs that were told a key.
func processesOf(keys string) (left []string, err error) {
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	for _, file := range all {
		line, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) || err != nil && strings.Contains(err.Error(), "no such process") {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list processes: %w", err)
		}
		if text := strings.ReplaceAll(string(line), "\x00", " "); strings.HasPrefix(text, "/program work ") && strings.Contains(text, keys) {
			left = append(left, text)
		}
	}
	return left, nil
}

// measureLogs adds up the logs on disk, and finds those that belong to no run.
func (w *world) measureLogs(f *findings) error {
	dir := filepath.Join(w.stateDir(), "logs")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("list the logs: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() && !slices.ContainsFunc(f.runs, func(r api.Run) bool { return r.ID == e.Name() }) {
			f.orphans = append(f.orphans, e.Name())
		}
	}
	return filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			f.logBytes += info.Size()
		}
		return err
	})
}

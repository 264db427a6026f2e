package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/prewarm/prewarm/internal/api"
)

// benchFirehose lets a program print as fast as it can, for much longer than any
// buffer lasts: all lines have to come, in order, from an engine that keeps them
// for so long, and the server may not grow with them.
func benchFirehose(ctx context.Context, r *rig) (t table, err error) {
	t = table{
		title:   fmt.Sprintf("A firehose: %d lines of %d bytes, as fast as the program can", r.firehose, lineWidth),
		columns: []string{"until the reader had all", "lines per second", "the program itself", "complete", "server's memory (RSS), at most", "log on disk", "compressed"},
	}
	s, _, err := r.ready(ctx, "firehose", 1)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	memory := watchMemory(s.PID())
	run, err := s.client.Submit(ctx, api.SubmitRun{
		Image: "firehose", Command: []string{"count", fmt.Sprint(r.firehose), fmt.Sprint(lineWidth)}, Network: "none",
	}, "")
	if err != nil {
		return t, errors.Join(err, memory.stop())
	}
	begin := time.Now()
	out := newSink()
	followErr := s.client.Logs(ctx, run.ID, 0, true, func(l api.LogLine) error {
		_, err := fmt.Fprintln(out, l.Text)
		return err
	})
	took := out.last.Sub(begin)
	ended, waitErr := s.client.Wait(ctx, run.ID, time.Minute)
	if err := errors.Join(followErr, waitErr, out.expect(r.firehose, lineWidth)); err != nil {
		return t, errors.Join(err, memory.stop())
	}
	before, after, err := compressed(ctx, filepath.Join(r.dir, "firehose", "logs"))
	if err := errors.Join(err, memory.stop()); err != nil {
		return t, err
	}
	complete := "yes"
	if !ended.Log.Complete {
		complete = "**no**: " + ended.Log.Gap
	}
	t.add(took.Round(100*time.Millisecond).String(), fmt.Sprintf("%.0f", float64(r.firehose)/took.Seconds()),
		time.Duration(ended.RunSeconds*float64(time.Second)).Round(100*time.Millisecond).String(), complete,
		mebibytes(memory.most), mebibytes(before), mebibytes(after))
	return t, nil
}

// compressed waits until a folder grows no smaller any more, and tells what it
// was and is.
func compressed(ctx context.Context, dir string) (before, after int64, err error) {
	const still = 20 * time.Second // housekeeping comes round more often
	if before, err = folderSize(dir); err != nil {
		return 0, 0, err
	}
	after = before
	for since := time.Now(); time.Since(since) < still; {
		if err := pause(ctx, time.Second); err != nil {
			return 0, 0, err
		}
		now, err := folderSize(dir)
		if err != nil {
			return 0, 0, err
		}
		before = max(before, now)
		if now != after {
			after, since = now, time.Now()
		}
	}
	return before, after, nil
}

// folderSize adds up files. One that goes away meanwhile counts nothing.
func folderSize(dir string) (sum int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	return sum, err
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/prewarm/prewarm/internal/store"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/runner/spool"
)

const (
	// ramDisk is where a state is filled: each run and each line of it would wait
	// for a disk otherwise.
	ramDisk = "/dev/shm"
	// oldLines are in the log of each run.
	oldLines = 20
	// oldAge is when the first of the runs was: younger than what is forgotten.
	oldAge = 5 * 24 * time.Hour
)

// fillState makes a state in dir that is what an earlier one has, and ended runs
// with their logs beside.
func fillState(ctx context.Context, earlier, dir string, pin registry.Pin, runs int) (err error) {
	draft, err := os.MkdirTemp(ramDisk, "prewarm-bench-")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(draft)) }()
	if err := os.CopyFS(draft, os.DirFS(earlier)); err != nil {
		return fmt.Errorf("copy a state: %w", err)
	}
	if err := insertOld(ctx, draft, pin, runs); err != nil {
		return fmt.Errorf("fill a state: %w", err)
	}
	if err := os.CopyFS(dir, os.DirFS(draft)); err != nil {
		return fmt.Errorf("copy a state: %w", err)
	}
	return nil
}

func insertOld(ctx context.Context, dir string, pin registry.Pin, runs int) (err error) {
	s, err := store.Open(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	logs, err := spool.New(spool.Options{Dir: filepath.Join(dir, "logs")})
	if err != nil {
		return err
	}
	begin := time.Now().Add(-oldAge)
	var first string // the folder of the first run's log, of which the others are copies
	for n := range runs {
		run, err := oldRun(n, pin, begin.Add(oldAge/time.Duration(runs)*time.Duration(n)))
		if err != nil {
			return err
		}
		if err := s.InsertRun(ctx, run, nil, nil); err != nil {
			return err
		}
		folder := filepath.Join(dir, "logs", run.ID)
		if first == "" {
			first = folder
			err = writeOldLog(logs, run)
		} else {
			err = os.CopyFS(folder, os.DirFS(first))
		}
		if err != nil {
			return fmt.Errorf("write the log of run %s: %w", run.ID, err)
		}
	}
	return nil
}

// oldRun is a run of the size that an Airflow task has.
func oldRun(n int, pin registry.Pin, at time.Time) (runner.Run, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return runner.Run{}, fmt.Errorf("make an id: %w", err)
	}
	spec := runner.Spec{Image: footprintImage(0), Command: []string{"node", "dist/import.js", "--day", at.Format(time.DateOnly)}, Memory: 2 << 30}
	for v := range 12 {
		spec.Env = append(spec.Env, fmt.Sprintf("AIRFLOW_CTX_VARIABLE_%d=a value of the usual length", v))
	}
	return runner.Run{
		ID: id.String(), Asked: spec, Spec: spec, Image: footprintImage(0), Track: footprintImage(0), Pin: pin, Host: "etl-1",
		Terms:       runner.Terms{Namespace: "default", Key: fmt.Sprintf("etl/day/task/%d", n), Join: runner.JoinSuccess},
		Idempotency: id.String(), State: runner.Succeeded, Exited: true,
		Log:       runner.LogState{Lines: oldLines, Bytes: oldLines * int64(len(oldText)), Complete: true},
		Submitted: at, Placed: at, Started: at, FirstLine: at.Add(time.Second), Ended: at.Add(time.Minute),
	}, nil
}

const oldText = "2026-11-22 10:00:00 INFO imported a batch of 1000 rows into the warehouse in 1.25 s"

func writeOldLog(logs *spool.Store, run runner.Run) error {
	log, err := logs.Open(run.ID, 0)
	if err != nil {
		return err
	}
	for range oldLines {
		if err := log.Append(spool.Entry{Time: run.FirstLine, EngineTime: run.FirstLine, Stream: "stdout", Text: oldText}); err != nil {
			return errors.Join(err, log.Close())
		}
	}
	if err := log.Close(); err != nil {
		return err
	}
	return logs.Compress(run.ID)
}

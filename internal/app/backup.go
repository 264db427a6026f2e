package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prewarm/prewarm/internal/backup"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/internal/store"
	"github.com/prewarm/prewarm/runner/spool"
)

// logsFolder is that of the logs, in the folder of the state.
const logsFolder = "logs"

// mostBackup bounds a backup in time: as long as one is being made, no log is
// removed.
const mostBackup = 6 * time.Hour

// backups makes backups of a state that is in use, one at a time.
type backups struct {
	dir     string
	state   *store.Store
	logs    *spool.Store
	version string
	most    time.Duration // that a backup may take
	busy    atomic.Bool
	last    atomic.Pointer[store.Backup] // that succeeded
}

// newBackups makes what makes backups. It knows of the last one.
func newBackups(ctx context.Context, dir string, state *store.Store, logs *spool.Store, version string) (*backups, error) {
	last, err := state.LastBackup(ctx)
	if err != nil {
		return nil, err
	}
	b := &backups{dir: dir, state: state, logs: logs, version: version, most: mostBackup}
	b.last.Store(&last)
	return b, nil
}

// Begin fixes the moment that a backup shows. What it returns writes the backup;
// it is to be called once, also where nobody wants it any more.
//
// The database comes first and the logs after it: so each line that the database
// knows of is in a log. What a log has beyond that is what the server finds after a
// crash, too.
func (b *backups) Begin(ctx context.Context) (write func(context.Context, io.Writer) error, err error) {
	if !b.busy.CompareAndSwap(false, true) {
		p := problem.New(problem.BackupUnderWay, "another backup of this server is being made", "wait until it has ended")
		p.RetryAfter = 10 * time.Second
		return nil, p
	}
	begun := time.Now()
	release := b.logs.Hold()
	copied := filepath.Join(b.dir, backup.Scratch+"."+store.Database)
	end := func() error {
		defer b.busy.Store(false)
		return errors.Join(release(), removed(copied))
	}
	err = removed(copied) // what an earlier backup may have failed to remove
	var made time.Time
	if err == nil {
		made, err = b.state.Snapshot(ctx, copied)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make a backup: %w", err), end())
	}
	return func(ctx context.Context, w io.Writer) error {
		ctx, cancel := context.WithTimeoutCause(ctx, b.most, fmt.Errorf("the backup took longer than %s", b.most))
		defer cancel()
		out := &counted{ctx: ctx, w: w}
		err := errors.Join(b.write(out, copied, made), end())
		if err != nil {
			return err
		}
		last := store.Backup{Made: made, Bytes: out.n, Took: time.Since(begun)}
		b.last.Store(&last)
		return b.state.NoteBackup(context.WithoutCancel(ctx), last) // its reader may be gone: it has all of it
	}, nil
}

func removed(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// counted is a writer that ends with its context.
type counted struct {
	ctx context.Context
	w   io.Writer
	n   int64
}

func (c *counted) Write(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

func (b *backups) write(w io.Writer, database string, made time.Time) error {
	out, err := backup.NewWriter(w, backup.Head{Version: b.version, Instance: b.state.Instance(), Schema: store.Schema(), Made: made})
	if err == nil {
		err = addFile(out, store.Database, database)
	}
	if err == nil {
		err = b.addOthers(out)
	}
	if err == nil {
		err = b.addLogs(out)
	}
	if err != nil {
		return err
	}
	return out.Close()
}

// addOthers adds what the state has beside its database and the logs: the key that
// signs links, and the certificates of prewarm host enroll.
func (b *backups) addOthers(out *backup.Writer) error {
	// By os.DirFS the folder may be a link to where it is.
	return fs.WalkDir(os.DirFS(b.dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		top := !strings.ContainsRune(name, '/')
		switch {
		case e.IsDir() && top && (name == logsFolder || !backup.Kept(name)):
			return filepath.SkipDir
		case !e.Type().IsRegular() || top && (!backup.Kept(name) || strings.HasPrefix(name, store.Database)):
			return nil
		}
		return addFile(out, name, filepath.Join(b.dir, filepath.FromSlash(name)))
	})
}

func addFile(out *backup.Writer, name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("back up %s: %w", name, err)
	}
	info, err := f.Stat()
	if err == nil {
		err = out.Add(name, info.Size(), f)
	}
	return errors.Join(err, f.Close())
}

func (b *backups) addLogs(out *backup.Writer) error {
	runs, err := b.logs.Runs()
	for _, run := range runs {
		if err == nil {
			err = b.logs.Export(run, func(name string, size int64, r io.Reader) error {
				return out.Add(logsFolder+"/"+run+"/"+name, size, r)
			})
		}
	}
	return err
}

// RestoreOptions say what is restored, and where to.
type RestoreOptions struct {
	Dir string
	// Force moves a state that is there aside.
	Force bool
	From  io.Reader
}

// Restore makes a backup the state in a folder that no server uses. Killed at any
// instruction it leaves the old state or the new one.
func Restore(ctx context.Context, o RestoreOptions) (result backup.Result, err error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return backup.Result{}, fmt.Errorf("make the folder of the state: %w", err)
	}
	lock, err := store.Lock(o.Dir)
	if err != nil {
		return backup.Result{}, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	return backup.Restore{
		Dir: o.Dir, Force: o.Force,
		Accept: func(h backup.Head) error { return store.KnowsSchema(h.Schema) },
		Prepare: func(dir string, c backup.Contents) error {
			return prepareRestored(ctx, dir, c.Head)
		},
	}.Do(o.From)
}

// prepareRestored opens the new state as a server would: what can't be opened never
// takes the place of what can.
func prepareRestored(ctx context.Context, dir string, h backup.Head) error {
	if _, err := os.Stat(filepath.Join(dir, store.Database)); err != nil {
		return problem.Wrap(problem.BackupBroken, err, "read the backup: it has no database", "use another backup")
	}
	state, err := store.Open(ctx, dir)
	if err != nil {
		return err
	}
	err = state.MarkRestored(ctx, h.Made)
	if err == nil && state.Instance() != h.Instance {
		err = problem.New(problem.BackupBroken,
			fmt.Sprintf("read the backup: it says that it is of instance %s, and its database is of %s", h.Instance, state.Instance()), "use another backup")
	}
	return errors.Join(err, state.Close(), removed(filepath.Join(dir, backup.LockName)))
}

package runner_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/runner"
)

// errKilled is what a call of a life gets that is over. Nobody hears of it.
var errKilled = errors.New("killed")

// incarnation is one life of a server. kill -9 ends it between any two effects
// that it has on the store, on an engine or on the spool: from then on it has
// none, and the next life goes on with a copy of the spool as it was then.
type incarnation struct {
	cancel context.CancelFunc // of what runs in it

	// world is held shared over each effect, so that none comes after the copy.
	world sync.RWMutex
	dead  bool
	copy  func() error
	err   error // of the copy

	mu    sync.Mutex
	left  int  // effects until the kill; negative: none is planned
	after bool // it comes after the last of them
}

// plan lets the life end with the n-th effect from now on, before or after it.
func (i *incarnation) plan(n int, after bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.left, i.after = n, after
}

func (i *incarnation) kill() {
	i.world.Lock()
	defer i.world.Unlock()
	if i.dead {
		return
	}
	i.dead, i.err = true, i.copy()
	i.cancel()
}

func (i *incarnation) killed() bool {
	i.world.RLock()
	defer i.world.RUnlock()
	return i.dead
}

// due counts an effect, and tells whether the life ends before or after it.
func (i *incarnation) due() (before, after bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.left < 0 {
		return false, false
	}
	i.left--
	return i.left < 0 && !i.after, i.left < 0 && i.after
}

// effect does something that takes no time.
func effect[T any](i *incarnation, do func() (T, error)) (T, error) {
	var none T
	before, after := i.due()
	if before {
		i.kill()
	}
	result, err := func() (T, error) {
		i.world.RLock()
		defer i.world.RUnlock()
		if i.dead {
			return none, errKilled
		}
		return do()
	}()
	if after {
		i.kill()
		return none, errKilled
	}
	return result, err
}

func (i *incarnation) change(do func() error) error {
	_, err := effect(i, func() (struct{}, error) { return struct{}{}, do() })
	return err
}

// ask does something that may take long, or has no effect.
func ask[T any](i *incarnation, do func() (T, error)) (T, error) {
	var none T
	if i.killed() {
		return none, errKilled
	}
	result, err := do()
	if i.killed() {
		return none, errKilled
	}
	return result, err
}

// mortalStore is the store as a life sees it.
type mortalStore struct {
	*memory
	life *incarnation
}

func (m mortalStore) InsertRun(ctx context.Context, r runner.Run, sealed []byte, scope *runner.Scope) error {
	return m.life.change(func() error { return m.memory.InsertRun(ctx, r, sealed, scope) })
}

func (m mortalStore) UpdateRun(ctx context.Context, r runner.Run, notices ...notice.Event) error {
	return m.life.change(func() error { return m.memory.UpdateRun(ctx, r, notices...) })
}

func (m mortalStore) RecordJoin(ctx context.Context, namespace, word, run string) error {
	return m.life.change(func() error { return m.memory.RecordJoin(ctx, namespace, word, run) })
}

func (m mortalStore) DeleteRuns(ctx context.Context, ids []string) error {
	return m.life.change(func() error { return m.memory.DeleteRuns(ctx, ids) })
}

func (m mortalStore) SaveScope(ctx context.Context, s runner.Scope) error {
	return m.life.change(func() error { return m.memory.SaveScope(ctx, s) })
}

func (m mortalStore) DeleteScope(ctx context.Context, namespace, name string) error {
	return m.life.change(func() error { return m.memory.DeleteScope(ctx, namespace, name) })
}

// mortalEngine is an engine as a life sees it. Its containers know their run.
type mortalEngine struct {
	runner.Engine
	life *incarnation
}

func (m mortalEngine) Create(ctx context.Context, c runner.Container) (runner.Created, error) {
	c.Env = append(c.Env[:len(c.Env):len(c.Env)], "RUN="+c.Run)
	return effect(m.life, func() (runner.Created, error) { return m.Engine.Create(ctx, c) })
}

func (m mortalEngine) Start(ctx context.Context, id string) error {
	return m.life.change(func() error { return m.Engine.Start(ctx, id) })
}

func (m mortalEngine) Logs(ctx context.Context, id string, since time.Time, follow bool, emit func(runner.Line) error) error {
	_, err := ask(m.life, func() (struct{}, error) {
		return struct{}{}, m.Engine.Logs(ctx, id, since, follow, func(l runner.Line) error {
			return m.life.change(func() error { return emit(l) })
		})
	})
	return err
}

func (m mortalEngine) Look(ctx context.Context, id string) (runner.Look, error) {
	return ask(m.life, func() (runner.Look, error) { return m.Engine.Look(ctx, id) })
}

func (m mortalEngine) Wait(ctx context.Context, id, life string) (runner.Exit, error) {
	return ask(m.life, func() (runner.Exit, error) { return m.Engine.Wait(ctx, id, life) })
}

func (m mortalEngine) Confirm(ctx context.Context) error {
	_, err := ask(m.life, func() (struct{}, error) { return struct{}{}, m.Engine.Confirm(ctx) })
	return err
}

// Stop may take as long as a container does to end: its effect comes at once.
func (m mortalEngine) Stop(ctx context.Context, id string, grace time.Duration) (bool, error) {
	before, after := m.life.due()
	if before {
		m.life.kill()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if after {
		// The request is out, and its answer comes to nobody.
		time.AfterFunc(time.Nanosecond, m.life.kill)
	}
	return ask(m.life, func() (bool, error) { return m.Engine.Stop(ctx, id, grace) })
}

func (m mortalEngine) Remove(ctx context.Context, id string) error {
	return m.life.change(func() error { return m.Engine.Remove(ctx, id) })
}

func (m mortalEngine) Owned(ctx context.Context) ([]runner.Owned, error) {
	return ask(m.life, func() ([]runner.Owned, error) { return m.Engine.Owned(ctx) })
}

func (m mortalEngine) MakeVolume(ctx context.Context, name string, labels map[string]string) error {
	return m.life.change(func() error { return m.Engine.MakeVolume(ctx, name, labels) })
}

func (m mortalEngine) RemoveVolume(ctx context.Context, name string) error {
	return m.life.change(func() error { return m.Engine.RemoveVolume(ctx, name) })
}

// copySpool copies the folders of all logs while they are written. What is
// renamed or removed meanwhile is looked for again under its new name.
func copySpool(from, to string) error {
	for {
		err := os.CopyFS(to, os.DirFS(from))
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.RemoveAll(to); err != nil {
			return err
		}
	}
}

// openBelow lists the files below a folder that this process has open.
func openBelow(dir string) ([]string, error) {
	all, err := os.ReadDir("/proc/self/fd")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // not on this system
	}
	var open []string
	for _, fd := range all {
		name, err := os.Readlink(filepath.Join("/proc/self/fd", fd.Name()))
		if rel, outside := filepath.Rel(dir, name); err == nil && outside == nil && filepath.IsLocal(rel) {
			open = append(open, name)
		}
	}
	return open, err
}

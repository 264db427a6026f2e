package config

import (
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/prewarm/prewarm/internal/problem"
)

const (
	// settle is how long the files must be quiet before they are read: an editor
	// and a tool that writes several files make many events of one change.
	settle = 250 * time.Millisecond
	// lookAgain is how long what makes no event can go unseen: network file
	// systems tell nothing of what another machine writes.
	lookAgain = time.Minute
)

// origin is what a configuration was loaded from.
type origin struct {
	path    string
	environ []string
	sum     sum
}

// sum stands for what all the files of a configuration held.
type sum [sha256.Size]byte

// load is Load, and gives what was read even where it is refused.
func (o origin) load() (config *Config, was sum, err error) {
	r, config, err := read(o.path, o.environ)
	if err != nil {
		return nil, sum{}, err
	}
	o.sum = r.sum()
	if len(r.found) > 0 {
		return nil, o.sum, r.found.sorted()
	}
	config.origin = o
	return config, o.sum, nil
}

// Watcher follows the files of a configuration: the configuration file, the file
// of hosts, and every file of a secret or a certificate that they name. Load may
// be called at any time, Run once.
type Watcher struct {
	origin
	again  time.Duration
	open   func() (*fsnotify.Watcher, error)
	loaded chan struct{} // Load has read the files

	mu   sync.Mutex
	last sum // of what Load read last, or Run found changed since

	// Of Run:
	events *fsnotify.Watcher // nil until one can be made
	// entries are the names in each watched folder that lead to a file.
	entries map[string]map[string]bool
	told    string // the trouble that was told last
}

// NewWatcher makes a Watcher of the files that c was loaded from.
func NewWatcher(c *Config) *Watcher {
	return &Watcher{
		origin: c.origin, last: c.origin.sum, again: lookAgain,
		open: fsnotify.NewWatcher, loaded: make(chan struct{}, 1),
	}
}

// Load loads what the Watcher's configuration was loaded from anew, as the
// function Load does. What it read, accepted or refused, is what Run compares the
// files with from now on: half of a file that is being written does not last.
func (w *Watcher) Load() (*Config, error) {
	config, was, err := w.load()
	if was != (sum{}) {
		w.mu.Lock()
		w.last = was
		w.mu.Unlock()
		// Run may have seen the rest of the file before.
		select {
		case w.loaded <- struct{}{}:
		default:
		}
	}
	return config, err
}

// Run calls changed when a file says something else than what Load read last, or
// than at the last call; calls come one after another. It does not load anything:
// changed does, and keeps the last good configuration where Load refuses the new
// one. Run follows the files as they come to be, until ctx ends.
//
// Folders are watched besides files, so that a file may be replaced, removed and
// made again, or be reached by a symbolic link that is exchanged, as Kubernetes
// does with a mounted ConfigMap; and files besides folders, since one that is
// mounted by itself changes without its folder. What no event tells is found
// within a minute. A file that is written anew with the same content changes
// nothing.
//
// trouble is called with a *problem.Error where files or folders can't be
// watched, once until another is the matter: Run tries again, and looks by the
// minute until then.
func (w *Watcher) Run(ctx context.Context, changed func(), trouble func(error)) {
	defer w.close()
	// What happened between Load and now is found by the first look.
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		var events <-chan fsnotify.Event
		var lost <-chan error
		if w.events != nil {
			events, lost = w.events.Events, w.events.Errors
		}
		select {
		case <-ctx.Done():
			return
		case <-w.loaded:
			next.Reset(settle)
		case event := <-events:
			if w.entries[filepath.Dir(event.Name)][filepath.Base(event.Name)] || w.entries[event.Name] != nil {
				next.Reset(settle)
			}
		case err := <-lost:
			// Some events did not come: a look finds what they would have told.
			if err != nil {
				next.Reset(settle)
			}
		case <-next.C:
			now, settled, err := w.look()
			w.tell(err, trouble)
			if settled || err != nil {
				next.Reset(w.again)
			} else {
				next.Reset(settle)
			}
			if settled && w.isNew(now) {
				changed()
			}
		}
	}
}

func (w *Watcher) close() {
	if w.events != nil {
		_ = w.events.Close() // nothing waits for its events any more
	}
}

func (w *Watcher) tell(err error, trouble func(error)) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != w.told {
		trouble(err)
	}
	w.told = text
}

// isNew tells whether the files hold something else than they did last.
func (w *Watcher) isNew(now sum) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	// A configuration that was not loaded from anything has no sum.
	changed := now != w.last && w.last != (sum{})
	w.last = now
	return changed
}

// look reads all files before and after it watched what leads to them: what
// changes later makes an event. They are settled when both told the same. Where
// they can't be watched that holds all the same.
func (w *Watcher) look() (now sum, settled bool, err error) {
	before, _, err := read(w.path, w.environ)
	if err != nil {
		return sum{}, false, err
	}
	unwatched := w.follow(before.read)
	after, _, err := read(w.path, w.environ)
	if err != nil {
		return sum{}, false, err
	}
	return after.sum(), after.sum() == before.sum(), unwatched
}

// follow watches the files and the folders that lead to them, and nothing else.
func (w *Watcher) follow(files []string) error {
	if w.events == nil {
		made, err := w.open()
		if err != nil {
			return cannotWatch("the configuration's files", err)
		}
		w.events = made
	}
	w.entries = make(map[string]map[string]bool)
	// The value tells whether it can't be done without: a folder that a file is in.
	watched := make(map[string]bool)
	for _, file := range files {
		trail := trailOf(file)
		for i, entry := range trail {
			folder, name := filepath.Dir(entry), filepath.Base(entry)
			if w.entries[folder] == nil {
				w.entries[folder] = make(map[string]bool)
			}
			w.entries[folder][name] = true
			watched[folder] = watched[folder] || i == len(trail)-1
		}
		if len(trail) > 0 {
			last := trail[len(trail)-1]
			if _, ok := watched[last]; !ok {
				watched[last] = false
			}
		}
	}
	for _, path := range w.events.WatchList() {
		if _, ok := watched[path]; !ok {
			_ = w.events.Remove(path) // one that is gone has no watch any more
		}
	}
	return w.watch(watched)
}

// watch adds all paths, and tells the first that failed of those that are needed.
func (w *Watcher) watch(paths map[string]bool) (failed error) {
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		// Again for one that is watched: it may be another of that name. What has
		// gone was seen to go by the folder above it.
		err := w.events.Add(path)
		if err == nil || failed != nil || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		// A file that may not be read, or a folder far above it, is done without;
		// what is used up is told of any.
		if paths[path] || errors.Is(err, syscall.ENOSPC) {
			failed = cannotWatch(path, err)
		}
	}
	return failed
}

func cannotWatch(what string, err error) error {
	why, mend := plainReason(err), "let Prewarm's user read the folder"
	switch {
	case errors.Is(err, syscall.ENOSPC):
		why, mend = "all inotify watches of the system are in use", "raise fs.inotify.max_user_watches"
	case errors.Is(err, syscall.EMFILE):
		why, mend = "all inotify instances of the user are in use", "raise fs.inotify.max_user_instances"
	}
	return problem.New(problem.InvalidConfig, "watch "+what+" for changes: "+why, mend+"; until then, changes are noticed within a minute, or at once on SIGHUP")
}

// maxLinks ends a path whose symbolic links lead to each other.
const maxLinks = 40

// trailOf lists the entries of folders that decide which file a path means: each
// of its parts, and each part of what a symbolic link among them points to. It
// ends with the file, or with the first part that is not there.
func trailOf(file string) []string {
	file, err := filepath.Abs(file)
	if err != nil {
		return nil
	}
	var trail []string
	links := 0
	at, rest := "/", strings.Split(strings.TrimPrefix(file, "/"), "/")
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		entry := filepath.Join(at, part)
		if part == "" || part == "." || part == ".." {
			at = entry
			continue
		}
		trail = append(trail, entry)
		target, err := os.Readlink(entry)
		if err != nil {
			if _, err := os.Lstat(entry); err != nil {
				break
			}
			at = entry
			continue
		}
		if links++; links > maxLinks {
			break
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(strings.Split(strings.TrimPrefix(target, "/"), "/"), rest...)
	}
	return trail
}

package config

import (
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/prewarm/prewarm/internal/problem"
)

// settle is how long the files must be quiet before they are read: an editor and
// a tool that writes several files make many events of one change.
const settle = 250 * time.Millisecond

// origin is what a configuration was loaded from.
type origin struct {
	path    string
	environ []string
	sum     sum
}

// sum stands for what all the files of a configuration held.
type sum [sha256.Size]byte

// Watch calls changed when a file of the configuration says something else than
// what c was loaded from, or than at the last call: the configuration file, the
// file of hosts, and every file of a secret or a certificate that they name. It
// does not load anything: changed does, and keeps the last good configuration
// where Load refuses the new one; calls come one after another. Watch follows the files as they come to be, so
// it need not be started anew, and goes on until ctx ends; then it returns nil.
//
// Folders are watched, not files, so that a file may be replaced, removed and
// made again, or be reached by a symbolic link that is exchanged, as Kubernetes
// does with a mounted ConfigMap. A file that is written anew with the same
// content changes nothing.
//
// The error is a *problem.Error: a folder can't be watched. Nothing calls
// changed any more then.
func Watch(ctx context.Context, c *Config, changed func()) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return cannotWatch("the configuration's files", err)
	}
	w := &watch{origin: c.origin, watcher: watcher, entries: make(map[string]map[string]bool)}
	defer watcher.Close()
	return w.run(ctx, changed)
}

type watch struct {
	origin
	watcher *fsnotify.Watcher
	// entries are the names in each watched folder that lead to a file.
	entries map[string]map[string]bool
}

func (w *watch) run(ctx context.Context, changed func()) error {
	// What happened between Load and now is found by the first look.
	quiet := time.NewTimer(0)
	defer quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case event := <-w.watcher.Events:
			if w.entries[filepath.Dir(event.Name)][filepath.Base(event.Name)] || w.entries[event.Name] != nil {
				quiet.Reset(settle)
			}
		case lost := <-w.watcher.Errors:
			// Some events did not come: a look finds what they would have told.
			if lost != nil {
				quiet.Reset(settle)
			}
		case <-quiet.C:
			now, settled, err := w.look()
			switch {
			case err != nil:
				return err
			case !settled:
				quiet.Reset(settle)
			case w.sum == (sum{}): // not loaded from anything
				w.sum = now
			case now != w.sum:
				w.sum = now
				changed()
			}
		}
	}
}

// look reads all files before and after it watched what leads to them: what
// changes later makes an event. They are settled when both told the same.
func (w *watch) look() (now sum, settled bool, err error) {
	before, _, err := read(w.path, w.environ)
	if err != nil {
		return sum{}, false, err
	}
	if err := w.follow(before.read); err != nil {
		return sum{}, false, err
	}
	after, _, err := read(w.path, w.environ)
	if err != nil {
		return sum{}, false, err
	}
	return after.sum(), after.sum() == before.sum(), nil
}

// follow watches the folders that lead to the files, and no others.
func (w *watch) follow(files []string) error {
	w.entries = make(map[string]map[string]bool)
	holders := make(map[string]bool)
	for _, file := range files {
		trail := trailOf(file)
		for _, entry := range trail {
			folder, name := filepath.Dir(entry), filepath.Base(entry)
			if w.entries[folder] == nil {
				w.entries[folder] = make(map[string]bool)
			}
			w.entries[folder][name] = true
		}
		if len(trail) > 0 {
			holders[filepath.Dir(trail[len(trail)-1])] = true
		}
	}
	for _, folder := range w.watcher.WatchList() {
		if w.entries[folder] == nil {
			_ = w.watcher.Remove(folder) // one that is gone has no watch any more
		}
	}
	for folder := range w.entries {
		// Again for one that is watched: it may be another folder of that name.
		// Of those above the files' own, one that may not be read is done
		// without; one that has gone was seen to go by the one above it.
		if err := w.watcher.Add(folder); err != nil && holders[folder] && !errors.Is(err, fs.ErrNotExist) {
			return cannotWatch(folder, err)
		}
	}
	return nil
}

func cannotWatch(what string, err error) error {
	why, mend := plainReason(err), "let Prewarm's user read the folder"
	switch {
	case errors.Is(err, syscall.ENOSPC):
		why, mend = "all inotify watches of the system are in use", "raise fs.inotify.max_user_watches"
	case errors.Is(err, syscall.EMFILE):
		why, mend = "all inotify instances of the user are in use", "raise fs.inotify.max_user_instances"
	}
	return problem.New(problem.InvalidConfig, "watch "+what+" for changes: "+why, mend+" and restart; until then, changes are taken over on SIGHUP")
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

package config

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/problem"
)

const watched = "hosts: [{name: a, endpoint: unix:///a}]\nregistries: [{name: ghcr.io, username: ci, password_file: token}]\nhosts_file: more.yaml\n"

// folder makes a folder with a configuration and the files that it names.
func folder(t *testing.T, at string) {
	t.Helper()
	for name, text := range map[string]string{"prewarm.yaml": watched, "token": "first", "more.yaml": "hosts: []"} {
		put(t, filepath.Join(at, name), text)
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path+".new"); err != nil {
		t.Fatal(err)
	}
	rename(t, path+".new", path)
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// follower watches a configuration until the test ends.
type follower struct {
	*Watcher
	t       *testing.T
	changes chan struct{}
}

func followFiles(t *testing.T, path string) *follower {
	t.Helper()
	f := &follower{NewWatcher(mustLoad(t, path)), t, make(chan struct{}, 100)}
	f.run(func(err error) { t.Errorf("the trouble is %v", err) })
	f.still()
	return f
}

func (f *follower) run(trouble func(error)) {
	ctx, cancel := context.WithCancel(f.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Run(ctx, func() { f.changes <- struct{}{} }, trouble)
	}()
	f.t.Cleanup(func() {
		cancel()
		<-done
	})
}

// moved waits for a change.
func (f *follower) moved() {
	f.t.Helper()
	select {
	case <-f.changes:
	case <-time.After(time.Minute):
		f.t.Fatal("the change was not seen")
	}
}

// still waits long enough to be sure that no change is told.
func (f *follower) still() {
	f.t.Helper()
	select {
	case <-f.changes:
		f.t.Fatal("a change was told where there was none")
	case <-time.After(3 * settle):
	}
}

// settled waits until no change is told any more, and counts those until then: a
// machine that stalls makes two changes of one.
func (f *follower) settled() int {
	for n := 0; ; n++ {
		select {
		case <-f.changes:
		case <-time.After(3 * settle):
			return n
		}
	}
}

func TestWatchPlainFiles(t *testing.T) {
	t.Parallel()
	at := t.TempDir()
	folder(t, at)
	path := filepath.Join(at, "prewarm.yaml")
	f := followFiles(t, path)

	put(t, path, watched) // a touch
	put(t, filepath.Join(at, "other"), "x")
	f.still()

	for i := range 5 { // an editor that writes in pieces
		put(t, path, watched+strings.Repeat("#", i+1))
		time.Sleep(settle / 10)
	}
	f.moved()
	if more := f.settled(); more > 2 {
		t.Errorf("%d more changes are told of one", more)
	}

	put(t, filepath.Join(at, "token"), "second")
	f.moved()
	put(t, filepath.Join(at, "more.yaml"), "hosts: [{name: b, endpoint: unix:///b}]")
	f.moved()

	put(t, filepath.Join(at, "new"), watched+"# by rename")
	rename(t, filepath.Join(at, "new"), path)
	f.moved()

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	f.moved() // Load refuses it, and the caller keeps what it has
	put(t, path, watched)
	f.moved()
	f.still()
}

// A secret that a refused configuration names is followed too: once it is there,
// the configuration is good.
func TestWatchFollowsNewFiles(t *testing.T) {
	t.Parallel()
	at := t.TempDir()
	folder(t, at)
	path := filepath.Join(at, "prewarm.yaml")
	f := followFiles(t, path)
	put(t, path, strings.Replace(watched, "token", "deep/er/token", 1))
	f.moved()
	_ = refused(t, path, nil)
	put(t, filepath.Join(at, "deep", "er", "token"), "third")
	f.moved()
	mustLoad(t, path)
	put(t, filepath.Join(at, "deep", "er", "token"), "fourth")
	f.moved()
}

// What a kubelet does: the files are links to ..data/name, and ..data is a link
// to a folder, which is exchanged by a rename.
func TestWatchConfigMap(t *testing.T) {
	t.Parallel()
	at := t.TempDir()
	folder(t, filepath.Join(at, "..2026_1"))
	link(t, "..2026_1", filepath.Join(at, "..data"))
	for _, name := range []string{"prewarm.yaml", "token", "more.yaml"} {
		link(t, filepath.Join("..data", name), filepath.Join(at, name))
	}
	f := followFiles(t, filepath.Join(at, "prewarm.yaml"))

	folder(t, filepath.Join(at, "..2026_2"))
	link(t, "..2026_2", filepath.Join(at, "..data"))
	if err := os.RemoveAll(filepath.Join(at, "..2026_1")); err != nil {
		t.Fatal(err)
	}
	f.still() // the same content

	folder(t, filepath.Join(at, "..2026_3"))
	put(t, filepath.Join(at, "..2026_3", "token"), "second")
	link(t, "..2026_3", filepath.Join(at, "..data"))
	if err := os.RemoveAll(filepath.Join(at, "..2026_2")); err != nil {
		t.Fatal(err)
	}
	f.moved()
	f.still()
}

func TestWatchFolderExchanged(t *testing.T) {
	t.Parallel()
	at := t.TempDir()
	folder(t, filepath.Join(at, "conf"))
	f := followFiles(t, filepath.Join(at, "conf", "prewarm.yaml"))

	folder(t, filepath.Join(at, "next"))
	put(t, filepath.Join(at, "next", "token"), "second")
	rename(t, filepath.Join(at, "conf"), filepath.Join(at, "old"))
	rename(t, filepath.Join(at, "next"), filepath.Join(at, "conf"))
	f.moved()
	f.settled()

	put(t, filepath.Join(at, "old", "token"), "third") // not ours any more
	f.still()
	put(t, filepath.Join(at, "conf", "token"), "third")
	f.moved()

	if err := os.RemoveAll(filepath.Join(at, "conf")); err != nil {
		t.Fatal(err)
	}
	f.moved()
	folder(t, filepath.Join(at, "conf"))
	f.moved()
	put(t, filepath.Join(at, "conf", "token"), "fifth")
	f.moved()
}

// A file that is mounted by itself is another entry of the same file: nothing
// happens in the folder in which Prewarm sees it.
func TestWatchAFileEditedElsewhere(t *testing.T) {
	t.Parallel()
	at, host := t.TempDir(), t.TempDir()
	folder(t, at)
	for _, name := range []string{"prewarm.yaml", "token", "more.yaml"} {
		if err := os.Link(filepath.Join(at, name), filepath.Join(host, name)); err != nil {
			t.Fatal(err)
		}
	}
	f := followFiles(t, filepath.Join(at, "prewarm.yaml"))
	for i, name := range []string{"prewarm.yaml", "token", "more.yaml", "prewarm.yaml"} {
		put(t, filepath.Join(host, name), watched+strings.Repeat("#", i+1))
		f.moved()
		f.settled()
	}

	// Replaced in the folder, it is another file.
	put(t, filepath.Join(at, "new"), "second")
	rename(t, filepath.Join(at, "new"), filepath.Join(at, "token"))
	f.moved()
	f.settled()
	put(t, filepath.Join(host, "token"), "third")
	f.still()
	put(t, filepath.Join(at, "token"), "fourth")
	f.moved()
}

// What is read while it is written holds no longer than that, be it accepted or
// refused.
func TestLoadOfATornFile(t *testing.T) {
	t.Parallel()
	at := t.TempDir()
	path := filepath.Join(at, "prewarm.yaml")
	const host, images = "hosts: [{name: a, endpoint: unix:///a}]\n", "images:\n  - {name: jobs, repository: node}\n  - {name: old, repository: node, track: {tag: '20'}}\n"
	put(t, path, host+images)
	f := followFiles(t, path)
	for _, torn := range []string{host, host + images[:len(images)-40]} {
		put(t, path, torn)
		c, err := f.Load() // on a hangup
		if (err == nil) != (torn == host) || err == nil && len(c.Images) != 0 {
			t.Fatalf("%q is loaded as %+v, %v", torn, c, err)
		}
		put(t, path, host+images)
		f.moved()
		if c, err = f.Load(); err != nil || len(c.Images) != 2 {
			t.Fatalf("the whole is loaded as %+v, %v", c, err)
		}
		f.still()
	}
}

// Load is slower than the look at the rest of the file.
func TestLoadOfATornFileEndsLate(t *testing.T) {
	t.Parallel()
	at := t.TempDir()
	folder(t, at)
	f := followFiles(t, filepath.Join(at, "prewarm.yaml"))
	f.mu.Lock()
	f.last = sum{1}
	f.mu.Unlock()
	f.loaded <- struct{}{}
	f.moved()
	f.still()
}

func TestLoadLoadsWhatWasLoaded(t *testing.T) {
	t.Parallel()
	at := t.TempDir()
	folder(t, at)
	first := mustLoad(t, filepath.Join(at, "prewarm.yaml"), "PREWARM_SERVER_LISTEN=127.0.0.1:1")
	again, err := NewWatcher(first).Load()
	if err != nil {
		t.Fatal(err)
	}
	if changes := Diff(first, again); len(changes) > 0 || again.origin.sum != first.origin.sum {
		t.Errorf("loaded anew it differs: %v", changes)
	}
	if third, err := NewWatcher(again).Load(); err != nil || len(Diff(first, third)) > 0 {
		t.Errorf("loaded by what was loaded anew: %v, %v", Diff(first, third), err)
	}
}

// Without inotify changes are seen all the same, and the trouble is told once.
func TestWatchWithoutEvents(t *testing.T) {
	t.Parallel()
	at := t.TempDir()
	folder(t, at)
	path := filepath.Join(at, "prewarm.yaml")
	f := &follower{NewWatcher(mustLoad(t, path)), t, make(chan struct{}, 100)}
	f.again = 10 * time.Millisecond
	tries, told, well := 0, make(chan error, 100), make(chan struct{})
	f.open = func() (*fsnotify.Watcher, error) {
		if tries++; tries < 100 {
			return nil, syscall.EMFILE
		}
		close(well)
		return fsnotify.NewWatcher()
	}
	f.run(func(err error) { told <- err })
	want := "watch the configuration's files for changes: all inotify instances of the user are in use"
	if err := <-told; problem.From(err).Message != want {
		t.Errorf("told %q, want %q", problem.From(err).Message, want)
	}
	put(t, path, watched+"#")
	f.moved()
	select {
	case <-well:
	case <-time.After(time.Minute):
		t.Fatal("it was not tried again")
	}
	put(t, path, watched)
	f.moved()
	select {
	case err := <-told:
		t.Errorf("told twice: %v", err)
	default:
	}
}

// What changes between Load and Run is not lost.
func TestWatchSeesWhatChangedBefore(t *testing.T) {
	t.Parallel()
	at := t.TempDir()
	folder(t, at)
	w := NewWatcher(mustLoad(t, filepath.Join(at, "prewarm.yaml")))
	put(t, filepath.Join(at, "token"), "second")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	changes := 0
	w.Run(ctx, func() { changes++; cancel() }, func(err error) { t.Error(err) })
	if changes != 1 {
		t.Errorf("%d changes, want one", changes)
	}
}

func TestWatchWithoutFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]*Config{"the default": Default(), "the environment": mustLoad(t, "", "PREWARM_HOSTS=[]")} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*settle)
		NewWatcher(c).Run(ctx, func() { t.Errorf("%s changed", name) }, func(err error) { t.Errorf("%s: %v", name, err) })
		cancel()
	}
}

func TestTroubleIsToldOnce(t *testing.T) {
	t.Parallel()
	var told []string
	w := &Watcher{}
	for _, err := range []error{nil, os.ErrExist, os.ErrExist, os.ErrClosed, nil, os.ErrClosed} {
		w.tell(err, func(err error) { told = append(told, err.Error()) })
	}
	if diff := cmp.Diff([]string{os.ErrExist.Error(), os.ErrClosed.Error(), os.ErrClosed.Error()}, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestCannotWatch(t *testing.T) {
	t.Parallel()
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		t.Fatal(err)
	}
	if err := watcher.Close(); err != nil {
		t.Fatal(err)
	}
	at := t.TempDir()
	err = (&Watcher{events: watcher}).follow([]string{filepath.Join(at, "prewarm.yaml")})
	if err == nil {
		t.Fatal("a closed watcher watches")
	}
	if got := err.Error(); !strings.Contains(got, "watch "+at+" for changes: it can't be read") {
		t.Errorf("the error is %q", got)
	}
	const until = "; until then, changes are noticed within a minute, or at once on SIGHUP"
	for cause, want := range map[error]string{
		os.ErrPermission: "watch /etc for changes: Prewarm's user may not read it; let Prewarm's user read the folder" + until,
		syscall.ENOSPC:   "watch /etc for changes: all inotify watches of the system are in use; raise fs.inotify.max_user_watches" + until,
		syscall.EMFILE:   "watch /etc for changes: all inotify instances of the user are in use; raise fs.inotify.max_user_instances" + until,
	} {
		told := problem.From(cannotWatch("/etc", cause))
		if got := told.Message + "; " + told.Mend; got != want {
			t.Errorf("%v is told as\n%s\nwant\n%s", cause, got, want)
		}
	}
}

func TestTrail(t *testing.T) {
	t.Parallel()
	at, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(at, "real", "file"), "")
	link(t, "real", filepath.Join(at, "folder"))
	link(t, at+"/folder/../real/file", filepath.Join(at, "file"))
	link(t, "b", filepath.Join(at, "a"))
	link(t, "a", filepath.Join(at, "b"))
	for file, want := range map[string][]string{
		"real/file":   {"real", "real/file"},
		"folder/file": {"folder", "real", "real/file"},
		"file":        {"file", "folder", "real", "real", "real/file"},
		"none/file":   {"none"},
		"real/none":   {"real", "real/none"},
	} {
		var got []string
		for _, entry := range trailOf(filepath.Join(at, file)) {
			if rest, ok := strings.CutPrefix(entry, at+"/"); ok {
				got = append(got, rest)
			}
		}
		// An absolute link begins anew at the root, above the test's folder.
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
	if got := trailOf(filepath.Join(at, "a")); len(got) > 100 {
		t.Errorf("links to each other lead on: %d entries", len(got))
	}
}

// A tool that renews certificates exchanges both files: the watch tells, and
// the comparison tells which.
func TestWatchRenewedCertificate(t *testing.T) {
	t.Parallel()
	at := t.TempDir()
	for name, of := range map[string]string{"a.pem": "server.pem", "a.key": "server.key"} {
		text, err := os.ReadFile("testdata/certs/" + of)
		if err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(at, name), string(text))
	}
	path := filepath.Join(at, "prewarm.yaml")
	put(t, path, "server: {tls: {cert: a.pem, key: a.key}}")
	was := mustLoad(t, path)
	f := followFiles(t, path)
	put(t, filepath.Join(at, "new"), madeCertificate(t, filepath.Join(at, "new.key")))
	rename(t, filepath.Join(at, "new.key"), filepath.Join(at, "a.key"))
	rename(t, filepath.Join(at, "new"), filepath.Join(at, "a.pem"))
	f.moved()
	want := []string{"server.tls.cert holds something else", "server.tls.key holds something else"}
	if diff := cmp.Diff(want, Diff(was, mustLoad(t, path))); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

// madeCertificate makes a certificate of a server, and puts its key at keyPath.
func madeCertificate(t *testing.T, keyPath string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	cert, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	put(t, keyPath, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text})))
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
}

package backup_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/prewarm/prewarm/internal/backup"
	"github.com/prewarm/prewarm/internal/problem"
)

var head = backup.Head{Format: 1, Version: "test", Instance: "inst", Schema: 3, Made: time.Date(2026, 11, 29, 2, 0, 0, 0, time.UTC)}

// archive is a backup of these files.
func archive(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := backup.NewWriter(&out, head)
	for name, text := range files {
		if err == nil {
			err = w.Add(name, int64(len(text)), strings.NewReader(text))
		}
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// read gives what a backup holds.
func read(b []byte) (map[string]string, backup.Contents, error) {
	files := map[string]string{}
	contents, err := backup.Read(bytes.NewReader(b), backup.Visitor{File: func(name string, r io.Reader) error {
		text, err := io.ReadAll(r)
		files[name] = string(text)
		return err
	}})
	return files, contents, err
}

func TestABackupIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		want := rapid.MapOf(rapid.StringMatching(`[a-z]{1,8}(/[a-z.]{1,60}x){0,2}`), rapid.StringN(0, 5000, -1)).Draw(rt, "files")
		got, contents, err := read(archive(t, want))
		if err != nil || !cmp.Equal(got, want) || contents.Head != head || contents.Files != len(want) {
			rt.Errorf("%+v %v\n%s", contents, err, cmp.Diff(want, got))
		}
	})
}

// Whatever is missing of a backup, or was changed in it, it is none.
func TestWhatIsNoBackup(t *testing.T) {
	t.Parallel()
	whole := archive(t, map[string]string{"prewarm.db": strings.Repeat("x", 3000), "logs/1/a": "line"})
	refused := func(what string, b []byte) {
		t.Helper()
		if _, _, err := read(b); problem.CodeOf(err) != problem.BackupBroken {
			t.Errorf("%s: %v", what, err)
		}
	}
	end := bytes.LastIndex(whole, []byte("manifest.json")) + 512 // its content begins there
	for n := range end {
		refused("cut", whole[:n])
	}
	for i := range whole[:end] {
		changed := bytes.Clone(whole)
		changed[i] ^= 0x15
		if bytes.Equal(changed[:i+1], whole[:i+1]) {
			t.Fatal("nothing was changed")
		}
		files, contents, err := read(changed)
		if err == nil && (contents.Head != head || files["prewarm.db"] != strings.Repeat("x", 3000) || files["logs/1/a"] != "line") {
			t.Fatalf("byte %d: taken for a whole one", i)
		}
	}
	refused("nothing", nil)
	refused("something else", bytes.Repeat([]byte("hello\n"), 1000))
	refused("two in one", append(whole[:len(whole)-1024:len(whole)-1024], whole...))
}

func TestAVisitorsErrorComesBack(t *testing.T) {
	t.Parallel()
	whole := archive(t, map[string]string{"prewarm.db": "x"})
	for _, v := range []backup.Visitor{
		{Head: func(backup.Head) error { return fs.ErrInvalid }},
		{File: func(string, io.Reader) error { return fs.ErrInvalid }},
	} {
		if _, err := backup.Read(bytes.NewReader(whole), v); !errors.Is(err, fs.ErrInvalid) || problem.CodeOf(err) == problem.BackupBroken {
			t.Error(err)
		}
	}
}

func TestNamesThatLeaveTheState(t *testing.T) {
	t.Parallel()
	w, err := backup.NewWriter(io.Discard, head)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", ".", "../lock", "/etc/passwd", "a/../../b", "lock", "restore.decided/state/x", "replaced-1/x", "backup.draft.x"} {
		if err := w.Add(name, 0, strings.NewReader("")); err == nil {
			t.Errorf("%q is taken", name)
		}
		if name == "" {
			continue // there is no such archive
		}
		dir := t.TempDir()
		_, err := backup.Restore{Dir: dir}.Do(bytes.NewReader(forged(t, tar.TypeReg, name, "")))
		if left := tree(t, dir); problem.CodeOf(err) != problem.BackupBroken || len(left) > 0 {
			t.Errorf("%q is restored: %v %v", name, left, err)
		}
	}
}

// forged is an archive that is whole, with one entry that no backup has.
func forged(t *testing.T, kind byte, name, link string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	var sums []map[string]any
	add := func(kind byte, name, link string, text []byte) {
		err := w.WriteHeader(&tar.Header{Typeflag: kind, Name: name, Linkname: link, Size: int64(len(text)), Mode: 0o600})
		if _, failed := w.Write(text); errors.Join(err, failed) != nil {
			t.Fatal(err, failed)
		}
		sum := sha256.Sum256(text)
		sums = append(sums, map[string]any{"name": name, "size": len(text), "sha256": hex.EncodeToString(sum[:])})
	}
	text, err := json.Marshal(head)
	if err != nil {
		t.Fatal(err)
	}
	add(tar.TypeReg, "backup.json", "", text)
	add(kind, "state/"+name, link, nil)
	if text, err = json.Marshal(map[string]any{"files": sums}); err != nil {
		t.Fatal(err)
	}
	add(tar.TypeReg, "manifest.json", "", text)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestForgedBackups(t *testing.T) {
	t.Parallel()
	if files, _, err := read(forged(t, tar.TypeReg, "prewarm.db", "")); err != nil || len(files) != 1 {
		t.Fatalf("the forger can't forge: %v %v", files, err)
	}
	for what, b := range map[string][]byte{
		"a link":      forged(t, tar.TypeSymlink, "logs", "/etc"),
		"a hard link": forged(t, tar.TypeLink, "prewarm.db", "/etc/passwd"),
		"a folder":    forged(t, tar.TypeDir, "logs/", ""),
		"a device":    forged(t, tar.TypeChar, "prewarm.db", ""),
		"a way out":   forged(t, tar.TypeReg, "../x", ""),
		"a lock":      forged(t, tar.TypeReg, "lock", ""),
	} {
		if files, _, err := read(b); problem.CodeOf(err) != problem.BackupBroken || len(files) > 0 {
			t.Errorf("%s: %v %v", what, files, err)
		}
	}
}

func TestAFileThatBecomesShorter(t *testing.T) {
	t.Parallel()
	w, err := backup.NewWriter(io.Discard, head)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Add("a", 5, strings.NewReader("four")); err == nil || !strings.Contains(err.Error(), "4 of 5 bytes") {
		t.Error(err)
	}
}

// tree gives the files below a folder.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func plant(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRestore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plant(t, dir, map[string]string{"lock": "", "lost+found/x": "", ".docker/config.json": "login"})
	fresh := map[string]string{"prewarm.db": "new", "logs/1/a": "line"}
	result, err := backup.Restore{Dir: dir}.Do(bytes.NewReader(archive(t, fresh)))
	if err != nil || result.Aside != "" || result.Files != 2 {
		t.Fatalf("%+v %v", result, err)
	}
	want := map[string]string{"lock": "", "lost+found/x": "", ".docker/config.json": "login", "prewarm.db": "new", "logs/1/a": "line"}
	if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
}

func TestRestoreOverAState(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old := map[string]string{"lock": "", ".ssh/id": "", "prewarm.db": "old", "link.key": "k", "logs/2/b": "other"}
	plant(t, dir, old)
	whole := archive(t, map[string]string{"prewarm.db": "new", "logs/1/a": "line"})
	if _, err := (backup.Restore{Dir: dir}).Do(bytes.NewReader(whole)); problem.CodeOf(err) != problem.StateNotEmpty {
		t.Errorf("without force: %v", err)
	}
	for what, r := range map[string]backup.Restore{
		"not accepted": {Dir: dir, Force: true, Accept: func(backup.Head) error { return fs.ErrInvalid }},
		"not prepared": {Dir: dir, Force: true, Prepare: func(string, backup.Contents) error { return fs.ErrInvalid }},
	} {
		if _, err := r.Do(bytes.NewReader(whole)); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := (backup.Restore{Dir: dir, Force: true}).Do(bytes.NewReader(whole[:len(whole)-2000])); problem.CodeOf(err) != problem.BackupBroken {
		t.Errorf("cut short: %v", err)
	}
	if diff := cmp.Diff(old, tree(t, dir)); diff != "" {
		t.Fatalf("a refused restore changed something:\n%s", diff)
	}
	result, err := backup.Restore{Dir: dir, Force: true}.Do(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	aside := filepath.Base(result.Aside)
	want := map[string]string{
		"lock": "", ".ssh/id": "", "prewarm.db": "new", "logs/1/a": "line",
		aside + "/prewarm.db": "old", aside + "/link.key": "k", aside + "/logs/2/b": "other",
	}
	if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
}

// What root restores belongs to whom the folder belongs.
func TestRootRestoresForTheOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Log("only root can give files away: here it is shown that the restore works without")
	}
	dir := t.TempDir()
	plant(t, dir, map[string]string{"lock": "", "prewarm.db": "old"})
	const owner = 65532
	if os.Geteuid() == 0 {
		if err := os.Chown(dir, owner, owner); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := (backup.Restore{Dir: dir, Force: true}).Do(bytes.NewReader(archive(t, map[string]string{"prewarm.db": "new", "logs/1/a": "x"}))); err != nil {
		t.Fatal(err)
	}
	want, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"lock", "prewarm.db", "logs", "logs/1", "logs/1/a"} {
		got, err := os.Stat(filepath.Join(dir, name))
		if err != nil || got.Sys().(*syscall.Stat_t).Uid != want.Sys().(*syscall.Stat_t).Uid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

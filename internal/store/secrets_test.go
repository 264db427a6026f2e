package store_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prewarm/prewarm/internal/store"
	"github.com/prewarm/prewarm/runner"
)

// planted are the files of a state that hold a text.
func planted(t *testing.T, dir string, text []byte) (found []string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, text) {
			found = append(found, f.Name())
		}
	}
	return found
}

func TestSecretsAreErasedFromTheFiles(t *testing.T) {
	t.Parallel()
	// One that fits into a page with others, and one that has pages of its own.
	for name, length := range map[string]int{"short": 60, "long": 20000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { eraseOneOfMany(t, length) })
		})
	}
}

// made gives a run with secrets its container.
func made(r *runner.Run) {
	r.Spec.SecretEnv, r.ContainerID = []runner.SecretEnv{{Name: "TOKEN"}}, "c"
}

func eraseOneOfMany(t *testing.T, length int) {
	dir := t.TempDir()
	s := open(t, dir)
	secret := func(n int) []byte { return bytes.Repeat(fmt.Appendf(nil, "planted-%02d.", n), length/11) }
	for n := range 12 {
		r := with(t, fmt.Sprintf("%04d", n), func(*runner.Run) {})
		if err := s.InsertRun(t.Context(), r, secret(n), nil); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.Secrets(t.Context(), "0007"); err != nil || !bytes.Equal(got, secret(7)) {
		t.Fatalf("got %q %v", got, err)
	}
	for range 2 { // the second time there is nothing to erase
		if err := s.UpdateRun(t.Context(), with(t, "0007", made)); err != nil {
			t.Fatal(err)
		}
	}
	if len(planted(t, dir, []byte("planted-07."))) == 0 {
		t.Fatal("the secret is in no file already, so this test sees nothing")
	}
	time.Sleep(time.Second)
	synctest.Wait()
	if found := planted(t, dir, []byte("planted-07.")); len(found) != 0 {
		t.Errorf("erased, and still in %v", found)
	}
	if got, err := s.Secrets(t.Context(), "0007"); err != nil || got != nil {
		t.Errorf("got %q %v", got, err)
	}
	if got, err := s.Secrets(t.Context(), "0008"); err != nil || !bytes.Equal(got, secret(8)) {
		t.Errorf("another run's: %q %v", got, err)
	}
}

// What a backup that reads the database holds back is erased once it has ended,
// or by a start after a crash.
func TestErasingWaitsForABackup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, dir)
		if err := s.InsertRun(t.Context(), run(t), []byte("planted"), nil); err != nil {
			t.Fatal(err)
		}
		stop := store.ReadFromOutside(t, dir)
		if err := s.UpdateRun(t.Context(), with(t, "0001", made)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if len(planted(t, dir, []byte("planted"))) == 0 {
			t.Error("the reader held nothing back, so this test sees nothing")
		}
		insert(t, s, with(t, "0002", func(*runner.Run) {}))
		stop()
		copied := t.TempDir() // as a server that is killed now leaves it
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		open(t, copied)
		time.Sleep(time.Second)
		synctest.Wait()
		for _, d := range []string{dir, copied} {
			if found := planted(t, d, []byte("planted")); len(found) != 0 {
				t.Errorf("still in %v", found)
			}
		}
	})
}

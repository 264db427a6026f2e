package fleet

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestTheLockIsHeldByOne(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "index")
	var wg sync.WaitGroup
	var holders atomic.Int32
	for range 20 {
		wg.Go(func() {
			l, err := lockDir(t.Context(), dir)
			if err != nil {
				t.Error(err)
				return
			}
			if n := holders.Add(1); n != 1 {
				t.Errorf("%d hold the lock", n)
			}
			holders.Add(-1)
			l.unlock() // removes the folder, under the feet of those who wait
		})
	}
	wg.Wait()
	if exists(dir) {
		t.Error("the empty folder was not removed")
	}
}

func TestTheLockIsWaitedForAsLongAsTheContextSays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := lockDir(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if second, err := lockDir(ctx, dir); err == nil {
		second.unlock()
		t.Error("a second one got the lock")
	}
}

func TestUnlockKeepsAFolderWithContent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := lockDir(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "a")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l.unlock()
	if !exists(file) {
		t.Error("the content was removed")
	}
}

package access_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/access"
	"github.com/prewarm/prewarm/internal/problem"
)

func openLinks(t *testing.T, path string) *access.Links {
	t.Helper()
	l, err := access.OpenLinks(path)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLinksAreOfOneRunAndOneTime(t *testing.T) {
	t.Parallel()
	l := openLinks(t, filepath.Join(t.TempDir(), "link.key"))
	until := time.Unix(1_800_000_000, 0)
	sign := l.Sign("run-1", until)
	if len(sign) != 22 || strings.ContainsAny(sign, "+/=") {
		t.Errorf("%q is not 16 bytes of base64url", sign)
	}
	if !l.Signed("run-1", until, sign) || !l.Signed("run-1", until.Add(time.Second/2), sign) {
		t.Error("it is refused")
	}
	for name, ok := range map[string]bool{
		"another run": l.Signed("run-2", until, sign), "a later time": l.Signed("run-1", until.Add(time.Second), sign),
		"nothing": l.Signed("run-1", until, ""), "a part": l.Signed("run-1", until, sign[:21]), "more": l.Signed("run-1", until, sign+"A"),
	} {
		if ok {
			t.Errorf("%s is taken", name)
		}
	}
	if told := fmt.Sprintf("%v %+v %#v %s", l, *l, *l, *l); told != "*** *** *** ***" {
		t.Errorf("it prints as %s", told)
	}
}

func TestTheKeyOfLinksIsMadeOnce(t *testing.T) {
	t.Parallel()
	path, until := filepath.Join(t.TempDir(), "link.key"), time.Unix(1_800_000_000, 0)
	if err := os.WriteFile(path+".draft", []byte("half"), 0o644); err != nil { // of a process that was killed
		t.Fatal(err)
	}
	sign := openLinks(t, path).Sign("run-1", until)
	if !openLinks(t, path).Signed("run-1", until, sign) {
		t.Error("the next start has another key")
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 || info.Size() != 32 {
		t.Errorf("%v %v", info, err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("beside the key there is more: %v, %v", left, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if openLinks(t, path).Signed("run-1", until, sign) {
		t.Error("a link outlives its key")
	}
}

func TestAKeyOfLinksThatIsNone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "link.key")
	for _, b := range []string{"", "short", strings.Repeat("x", 33)} {
		if err := os.WriteFile(path, []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := access.OpenLinks(path); problem.CodeOf(err) != problem.StateCorrupt || !strings.Contains(err.Error(), path) {
			t.Errorf("%d bytes: %v", len(b), err)
		}
	}
	if _, err := access.OpenLinks(filepath.Join(t.TempDir(), "missing", "link.key")); err == nil {
		t.Error("a key in a folder that is not there")
	}
}

package dockertest

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/prewarm/prewarm/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFakeContract(t *testing.T) {
	t.Parallel()
	Contract(t, func(t *testing.T) Subject {
		mirror, err := registry.ParseRepository("cache.test/etl/program")
		if err != nil {
			t.Fatal(err)
		}
		f := NewFake(Options{})
		s := Subject{
			Engine: f, Mirror: mirror, Others: f.Others(),
			Good: Pin("registry.test/etl/program", 1), Second: Pin("registry.test/etl/program", 2),
			Elsewhere: Pin("registry.test/etl/elsewhere", 3), Missing: Pin("registry.test/etl/program", 4),
		}
		amd64 := registry.Platform{OS: "linux", Architecture: "amd64"}
		s.Mirrored = func() Engine {
			f.SetMirror(func(r registry.Repository) (registry.Repository, bool) { return mirror, r == s.Good.Repository() })
			return f
		}
		f.Push(s.Good, amd64, []int64{1 << 20, 2 << 20})
		f.Push(registry.NewPin(mirror, s.Good.Digest()), amd64, []int64{1 << 20, 2 << 20})
		f.Push(s.Second, amd64, []int64{1 << 20, 3 << 20})
		f.Push(s.Elsewhere, registry.Platform{OS: "linux", Architecture: "s390x"}, []int64{1 << 20})
		t.Cleanup(f.Wipe)
		return s
	})
}

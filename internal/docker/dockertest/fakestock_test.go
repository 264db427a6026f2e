package dockertest

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

// onlyListed gives the one image of a fake.
func onlyListed(t *testing.T, f *Fake) warmer.Listed {
	t.Helper()
	all, err := f.List(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("List = %+v, %v; want one image", all, err)
	}
	return all[0]
}

// TestOneImageOfTwoRepositories: the same content has one id, and goes with the
// last of its names.
func TestOneImageOfTwoRepositories(t *testing.T) {
	t.Parallel()
	f, a, _ := stocked()
	other := registry.NewPin(Pin("reg.test/other", 9).Repository(), a.Digest())
	f.Push(other, amd64, []int64{1 << 20, 2 << 20})
	keepAll(t, f, a, other)
	if l := onlyListed(t, f); len(l.Pins) != 2 || len(l.Digests) != 2 || l.Bytes != 3<<20 || l.Unique != -1 {
		t.Errorf("List = %+v, want two pins of 3 MiB", l)
	}
	if got := remove(t, f, a); got.Gone || len(got.Left) > 0 {
		t.Errorf("RemoveImage of one pin = %+v, want the image there", got)
	}
	if l := onlyListed(t, f); len(l.Pins) != 1 || l.Pins[0] != other {
		t.Errorf("List = %+v, want the other pin", l)
	}
	if got := remove(t, f, other); !got.Gone {
		t.Errorf("RemoveImage of the other = %+v, want it gone", got)
	}
}

func TestUniqueBytes(t *testing.T) {
	t.Parallel()
	f := NewFake(Options{Unique: true})
	a, b := Pin("reg.test/jobs", 1), Pin("reg.test/jobs", 2)
	f.Push(a, amd64, []int64{10, 1})
	f.Push(b, amd64, []int64{10, 2})
	keepAll(t, f, a)
	if l := onlyListed(t, f); l.Unique != 11 {
		t.Errorf("alone: %d bytes are unique, want 11", l.Unique)
	}
	keepAll(t, f, b)
	all, err := f.List(t.Context())
	if err != nil || len(all) != 2 || all[0].Unique+all[1].Unique != 3 {
		t.Errorf("List = %+v, %v; want 1 and 2 unique bytes", all, err)
	}
	if n := f.Lists(); n != 2 {
		t.Errorf("listed %d times, want 2", n)
	}
}

func TestDangle(t *testing.T) {
	t.Parallel()
	f, a, _ := stocked()
	keepAll(t, f, a)
	f.Dangle(a)
	l := onlyListed(t, f)
	if len(l.Pins)+len(l.Tags)+len(l.Digests) > 0 {
		t.Errorf("List = %+v, want no name", l)
	}
	if err := f.Others().RemoveImage(t.Context(), l.ID); err != nil {
		t.Errorf("docker rmi ID: %v", err)
	}
	if all, err := f.List(t.Context()); len(all) > 0 || err != nil {
		t.Errorf("List = %+v, %v; want nothing", all, err)
	}
}

// TestOthersRemoveWhatIsUsed: docker rmi refuses the last tag of what is used,
// and takes any other.
func TestOthersRemoveWhatIsUsed(t *testing.T) {
	t.Parallel()
	f, a, _ := stocked()
	keepAll(t, f, a)
	o := f.Others()
	if err := o.Run(t.Context(), "theirs", a.String(), "sleep", "1h"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "a name that is taken", o.Create(t.Context(), "theirs", a.String()), problem.EngineAPI)
	wantCode(t, "rmi of the only tag", o.Untag(t.Context(), keepRef(a)), problem.ImageInUse)
	if err := o.Tag(t.Context(), a, "v1"); err != nil {
		t.Fatal(err)
	}
	if err := o.Untag(t.Context(), keepRef(a)); err != nil {
		t.Errorf("rmi of one of two tags: %v", err)
	}
	if err := o.PruneAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if l := onlyListed(t, f); len(l.Tags) != 1 || len(l.Containers) != 1 || l.Containers[0].Ours {
		t.Errorf("List = %+v, want v1 with their container", l)
	}
	if owned, err := f.Owned(t.Context()); len(owned) > 0 || err != nil || len(f.Running()) > 0 {
		t.Errorf("Owned = %+v, %v; it is theirs", owned, err)
	}
	_, err := f.Look(t.Context(), "theirs")
	wantCode(t, "Look at theirs", err, problem.ContainerLost)
	if err := o.Discard(t.Context(), "theirs"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "Discard again", o.Discard(t.Context(), "theirs"), problem.ContainerLost)
}

func TestRemovalFaults(t *testing.T) {
	t.Parallel()
	f, a, _ := stocked()
	keepAll(t, f, a)
	r := ours(f.imageID(a), a)
	broken := problem.New(problem.EngineAPI, "the engine is broken", "")
	f.FailRemoval(a, broken, 1)
	if _, err := f.RemoveImage(t.Context(), r); !errors.Is(err, broken) {
		t.Errorf("RemoveImage = %v, want the failure", err)
	}
	f.Fail(CallRemoveImage, true)
	_, err := f.RemoveImage(t.Context(), r)
	wantCode(t, "RemoveImage whose reply is lost", err, problem.HostUnreachable)
	if got := remove(t, f, a); !got.Gone || f.Removals() != 3 {
		t.Errorf("RemoveImage again = %+v after %d, want it gone after three", got, f.Removals())
	}
	f.Fail(CallList, false)
	_, err = f.List(t.Context())
	wantCode(t, "List that is lost", err, problem.HostUnreachable)
	f.SetDown(true)
	_, err = f.List(t.Context())
	wantCode(t, "List of an engine that is down", err, problem.HostUnreachable)
	_, err = f.RemoveImage(t.Context(), r)
	wantCode(t, "RemoveImage on an engine that is down", err, problem.HostUnreachable)
}

func TestHeldRemovals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, a, _ := stocked()
		keepAll(t, f, a)
		f.HoldRemovals()
		done := make(chan warmer.Removed, 1)
		go func() { done <- remove(t, f, a) }()
		time.Sleep(time.Hour)
		synctest.Wait()
		if l := onlyListed(t, f); len(l.Pins) != 1 {
			t.Errorf("List = %+v, want it kept", l)
		}
		f.ReleaseRemovals()
		if got := <-done; !got.Gone {
			t.Errorf("RemoveImage = %+v, want it gone", got)
		}
	})
}

// TestNewsAreBounded: a watcher that is far behind misses the oldest.
func TestNewsAreBounded(t *testing.T) {
	t.Parallel()
	f := &Fake{}
	for range mostNews + 10 {
		f.happen(warmer.Happening{Removed: true})
	}
	if got, told := f.news.since(0); len(got) != mostNews || told != mostNews+10 {
		t.Errorf("%d of %d are kept, want %d", len(got), told, mostNews)
	}
	if got, _ := f.news.since(mostNews + 9); len(got) != 1 {
		t.Errorf("%d are new, want 1", len(got))
	}
}

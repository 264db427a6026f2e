package dockertest

import (
	"context"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/warmer"
)

func stockTests() []contractTest {
	return []contractTest{
		{"ListOfNothing", listNothing},
		{"ListTellsNames", listNames},
		{"ListTellsContainers", listContainers},
		{"ListTellsLayers", listLayers},
		{"ListTellsWhatIsNew", listNews},
		{"PruneAllSparesWhatIsUsed", pruneAllSpares},
		{"WatchTellsOfStarts", watchStarts},
	}
}

// list gives all images by their ids.
func (b *bench) list() map[string]warmer.Listed {
	b.Helper()
	all, err := b.Engine.List(b.ctx)
	if err != nil {
		b.Fatalf("List: %v", err)
	}
	byID := map[string]warmer.Listed{}
	for _, l := range all {
		byID[l.ID] = l
	}
	if len(byID) != len(all) {
		b.Errorf("List has an image twice: %+v", all)
	}
	return byID
}

// listed gives one image that must be there.
func (b *bench) listed(id string) warmer.Listed {
	b.Helper()
	l, ok := b.list()[id]
	if !ok {
		b.Fatalf("List lacks image %s", id)
	}
	return l
}

// pull has someone else pull a pin.
func (b *bench) pull(pin registry.Pin) {
	b.Helper()
	if err := b.Others.Pull(b.ctx, pin); err != nil {
		b.Fatalf("pull %s: %v", pin, err)
	}
}

// tagAs has someone else tag a pin in another repository.
func (b *bench) tagAs(pin registry.Pin, name string) registry.Ref {
	b.Helper()
	ref, err := registry.ParseRef(name)
	if err == nil {
		err = b.Others.TagAs(b.ctx, pin, ref)
	}
	if err != nil {
		b.Fatalf("tag %s as %s: %v", pin, name, err)
	}
	return ref
}

// names are all names on the engine.
func (b *bench) names() []string {
	b.Helper()
	names, err := b.Others.Names(b.ctx)
	if err != nil {
		b.Fatalf("list names: %v", err)
	}
	return names
}

func listNothing(b *bench) {
	if all := b.list(); len(all) != 0 {
		b.Errorf("List of an empty engine = %+v", all)
	}
}

func listNames(b *bench) {
	good := b.keep(b.Good)
	b.pull(b.Second)
	v2, v1 := b.tag(b.Good, "2"), b.tag(b.Good, "1")
	b.tag(b.Good, ownTags+"1") // no keep-tag, whatever it looks like
	all := b.list()
	if len(all) != 2 {
		b.Errorf("List = %+v, want two images", all)
	}
	for id, l := range all {
		want := warmer.Listed{Digests: []string{b.Second.String()}}
		if id == good.ID {
			want = warmer.Listed{
				Pins: []registry.Pin{b.Good}, Tags: []string{v1.String(), v2.String(), b.ref(b.Good, ownTags+"1").String()},
				Digests: []string{b.Good.String()},
			}
		}
		sized := cmpopts.IgnoreFields(warmer.Listed{}, "ID", "Built", "Bytes", "Unique", "Layers", "Exact")
		if diff := cmp.Diff(want, l, sized, cmp.Comparer(func(a, b registry.Pin) bool { return a == b })); diff != "" {
			b.Errorf("List of %s (-want +got):\n%s", id, diff)
		}
		if l.Built.IsZero() || l.Built.After(time.Now().Add(time.Minute)) {
			b.Errorf("image %s was built %s", id, l.Built)
		}
	}
}

func listContainers(b *bench) {
	id := b.keep(b.Good).ID
	begin := time.Now().Add(-time.Second) // containers tell whole seconds of when they were made
	b.create("a-created", runner.Spec{})
	ended := b.start("b-ended", "print", "x")
	exit := b.wait(ended)
	running := b.start("c-running", "sleep", "1m")
	if err := b.Others.Create(b.ctx, "theirs", b.Good.String()); err != nil {
		b.Fatalf("docker create: %v", err)
	}
	want := []warmer.ContainerOf{
		{Name: "prewarm-contract-a-created", Ours: true},
		{Name: "prewarm-contract-b-ended", Ours: true},
		{Name: "prewarm-contract-c-running", Ours: true, Running: true},
		{Name: "theirs"},
	}
	for range 2 { // the second one is from memory, as far as may be
		got := b.listed(id).Containers
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(warmer.ContainerOf{}, "ID", "Used")); diff != "" {
			b.Fatalf("containers (-want +got):\n%s", diff)
		}
		for _, c := range got {
			if c.Used.Before(begin) || c.Used.After(time.Now().Add(time.Second)) {
				b.Errorf("%s was used %s, and it is as old as this test", c.Name, c.Used)
			}
		}
		if got[1].ID != ended || !got[1].Used.Equal(exit.Finished) {
			b.Errorf("the ended one is %+v, want %s and %s", got[1], ended, exit.Finished)
		}
	}
	b.stop(running, 0)
	exit = b.wait(running)
	if got := b.listed(id).Containers[2]; got.Running || !got.Used.Equal(exit.Finished) {
		b.Errorf("the stopped one is %+v, want it used until %s", got, exit.Finished)
	}
}

// listLayers: layers add up to the image, and those that two images share have
// one id in both.
func listLayers(b *bench) {
	ids := []string{b.keep(b.Good).ID, b.keep(b.Second).ID}
	all, shared := b.list(), 0
	good, second := all[ids[0]], all[ids[1]]
	for _, l := range []warmer.Listed{good, second} {
		var sum int64
		for _, layer := range l.Layers {
			sum += layer.Bytes
			if layer.Bytes <= 0 || layer.ID == "" {
				b.Errorf("layer %+v: want an id and a size", layer)
			}
		}
		if l.Bytes <= 0 || sum != l.Bytes {
			b.Errorf("layers of %d bytes, the image has %d", sum, l.Bytes)
		}
		if l.Unique < -1 || l.Unique >= l.Bytes {
			b.Errorf("unique are %d bytes of %d, want not all", l.Unique, l.Bytes)
		}
	}
	for i, layer := range good.Layers[:min(len(good.Layers), len(second.Layers))] {
		if layer.ID == second.Layers[i].ID {
			shared++
		}
	}
	if shared == 0 || shared == len(good.Layers) {
		b.Errorf("%d of %d layers are shared, want some:\n%+v\n%+v", shared, len(good.Layers), good.Layers, second.Layers)
	}
}

// listNews: what was remembered of an image does not hide what became of its
// names.
func listNews(b *bench) {
	id := b.keep(b.Good).ID
	first := b.listed(id)
	ref := b.tag(b.Good, "new")
	first.Tags = []string{ref.String()}
	pins := cmp.Comparer(func(a, b registry.Pin) bool { return a == b })
	if diff := cmp.Diff(first, b.listed(id), pins); diff != "" {
		b.Errorf("after docker tag (-want +got):\n%s", diff)
	}
	b.untag(ref)
	first.Tags = nil
	if diff := cmp.Diff(first, b.listed(id), pins); diff != "" {
		b.Errorf("after docker rmi (-want +got):\n%s", diff)
	}
}

// pruneAllSpares: what a container is made of stays, be it never started. The
// containerd store leaves it no name but the one that the container was made by,
// so our keep-tag may go, and is set again without a pull.
func pruneAllSpares(b *bench) {
	kept := b.keep(b.Good)
	b.keep(b.Second)
	b.create("spared", runner.Spec{})
	if err := b.Others.PruneAll(b.ctx); err != nil {
		b.Fatalf("docker image prune -a: %v", err)
	}
	left := kept
	left.Kept = b.inspect(b.Good).Kept
	b.wantCopy("docker image prune -a", b.Good, left)
	again, err := b.Engine.Keep(b.ctx, b.Good, func(p warmer.Progress) { b.Errorf("progress of what is there: %+v", p) })
	if diff := cmp.Diff(kept, again); diff != "" || err != nil {
		b.Errorf("Keep after docker image prune -a: %v (-want +got):\n%s", err, diff)
	}
	if c, ok, err := b.Engine.Inspect(b.ctx, b.Second); ok || err != nil {
		b.Errorf("Inspect = %+v, %v, %v; want nothing", c, ok, err)
	}
}

func watchStarts(b *bench) {
	b.keep(b.Good)
	ref := b.tag(b.Good, "theirs")
	ctx, stop := context.WithCancel(b.ctx)
	defer stop()
	told, ended := make(chan warmer.Happening, 100), make(chan error, 1)
	go func() {
		ended <- b.Engine.Watch(ctx, func(h warmer.Happening) { told <- h })
	}()
	// Nothing tells when the watch stands, so something is removed until it does.
	for stands := false; !stands; {
		b.untag(b.tag(b.Good, "passing"))
		select {
		case <-told:
			stands = true
		case err := <-ended:
			b.Fatalf("Watch ended: %v", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
	b.wait(b.start("started", "print", "x"))
	b.create("unstarted", runner.Spec{})
	if err := b.Others.Run(b.ctx, "theirs", ref.String(), "print", "y"); err != nil {
		b.Fatalf("docker run: %v", err)
	}
	var used []string
	for len(used) < 2 {
		select {
		case h := <-told:
			if since := time.Since(h.At).Abs(); since > time.Minute {
				b.Errorf("told %+v, which is %s away", h, since)
			}
			if !h.Removed {
				used = append(used, h.Used)
			}
		case err := <-ended:
			b.Fatalf("Watch ended: %v", err)
		case <-b.ctx.Done():
			b.Fatalf("told of starts of %q, want two", used)
		}
	}
	if !slices.Equal(used, []string{b.Good.String(), ref.String()}) {
		b.Errorf("told of starts of %q", used)
	}
	stop()
	if err := <-ended; err != nil {
		b.Errorf("Watch = %v, want nil at the end of its context", err)
	}
}

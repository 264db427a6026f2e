package dockertest

import (
	"slices"
	"sync"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/warmer"
)

func removalTests() []contractTest {
	return []contractTest{
		{"RemovalDropsAll", removalDrops},
		{"RemovalOfWhatIsGone", removalGone},
		{"RemovalIsRefusedWhileUsed", removalUsed},
		{"RemovalIsRefusedForOthersContainers", removalUsedByOthers},
		{"RemovalLeavesForeignTags", removalForeign},
		{"RemovalLeavesOtherRepositories", removalElsewhere},
		{"RemovalTakesTheOthersNames", removalNames},
		{"RemovalLeavesADigestWithItsTags", removalDigest},
		{"RemovalOfADanglingImage", removalDangling},
		{"RemovalLeavesATagThatMoved", removalMoved},
		{"RemovalWhileItsLayersArePulled", removalPulled},
	}
}

// drop removes names from an image.
func (b *bench) drop(r warmer.Removal) warmer.Removed {
	b.Helper()
	done, err := b.Engine.RemoveImage(b.ctx, r)
	if err != nil {
		b.Fatalf("RemoveImage(%+v): %v", r, err)
	}
	return done
}

// wantGone checks that a removal left nothing.
func (b *bench) wantGone(what string, got warmer.Removed) {
	b.Helper()
	if !got.Gone || len(got.Left) > 0 {
		b.Errorf("%s: RemoveImage = %+v, want it gone", what, got)
	}
}

// wantThere checks that a removal left the image, and of the names that were to
// go these.
func (b *bench) wantThere(what string, got warmer.Removed, left ...string) {
	b.Helper()
	if got.Gone || !slices.Equal(got.Left, left) {
		b.Errorf("%s: RemoveImage = %+v, want the image there and %q left", what, got, left)
	}
}

// wantCold checks that a pin is not there.
func (b *bench) wantCold(after string, pin registry.Pin) {
	b.Helper()
	if c, ok, err := b.Engine.Inspect(b.ctx, pin); ok || err != nil {
		b.Errorf("after %s: Inspect(%s) = %+v, %v, %v; want nothing", after, pin, c, ok, err)
	}
}

// ours removes our keep-tag, and all of the image with it if nobody else holds
// it.
func ours(id string, pin registry.Pin) warmer.Removal {
	return warmer.Removal{ID: id, Pins: []registry.Pin{pin}, Whole: true}
}

func removalDrops(b *bench) {
	good, second := b.keep(b.Good), b.keep(b.Second)
	b.wantGone("the only keep-tag", b.drop(ours(good.ID, b.Good)))
	b.wantCold("the removal", b.Good)
	b.wantCopy("a removal of another", b.Second, second)
	b.wantNames(keptNames(b.Second)...)
	if all := b.list(); len(all) != 1 {
		b.Errorf("List = %+v, want the other image alone", all)
	}
	if c := b.keep(b.Good); c.ID != good.ID {
		b.Errorf("Keep after a removal gave %+v, before %+v", c, good)
	}
	b.output("again", runner.Spec{Command: []string{"print", "x"}})
}

func removalGone(b *bench) {
	good := b.keep(b.Good)
	for _, what := range []string{"first", "second"} {
		b.wantGone(what, b.drop(ours(good.ID, b.Good)))
	}
	b.wantGone("with a name", b.drop(warmer.Removal{ID: good.ID, Names: []string{b.ref(b.Good, "none").String(), b.Good.String()}}))
}

// removalUsed: a container keeps its image with all names, whether it runs, has
// ended or was never started, also where a tag of others would let the engine
// take ours.
func removalUsed(b *bench) {
	good := b.keep(b.Good)
	theirs := b.tag(b.Good, "theirs")
	refused := func(what string) {
		b.Helper()
		before := b.names()
		_, err := b.Engine.RemoveImage(b.ctx, ours(good.ID, b.Good))
		b.wantCode(what, err, problem.ImageInUse)
		_, err = b.Engine.RemoveImage(b.ctx, warmer.Removal{ID: good.ID, Pins: []registry.Pin{b.Good}, Names: []string{theirs.String()}, Whole: true})
		b.wantCode(what+", all names", err, problem.ImageInUse)
		b.wantTexts(what, b.names(), before...)
	}
	id := b.create("used", runner.Spec{Command: []string{"sleep", "1m"}})
	refused("never started")
	if err := b.Engine.Start(b.ctx, id); err != nil {
		b.Fatalf("Start: %v", err)
	}
	refused("running")
	b.stop(id, 0)
	b.wait(id)
	refused("ended")
	b.output("other", runner.Spec{Command: []string{"print", "x"}})
	b.remove(id)
	refused("another one")
	b.untag(theirs)
	refused("with our tag alone")
}

func removalUsedByOthers(b *bench) {
	good := b.keep(b.Good)
	if err := b.Others.Run(b.ctx, "theirs", b.Good.String(), "sleep", "1m"); err != nil {
		b.Fatalf("docker run: %v", err)
	}
	_, err := b.Engine.RemoveImage(b.ctx, ours(good.ID, b.Good))
	b.wantCode("running", err, problem.ImageInUse)
	if c := b.listed(good.ID).Containers; len(c) != 1 || !c[0].Running || c[0].Ours {
		b.Errorf("containers %+v, want somebody else's that runs", c)
	}
	if err := b.Others.Discard(b.ctx, "theirs"); err != nil {
		b.Fatalf("docker rm -f: %v", err)
	}
	b.wantGone("without it", b.drop(ours(good.ID, b.Good)))
}

// removalForeign: with a tag of others in the repository, repo@digest stays, too.
func removalForeign(b *bench) {
	good := b.keep(b.Good)
	theirs := b.tag(b.Good, "theirs")
	b.wantThere("our keep-tag", b.drop(ours(good.ID, b.Good)))
	b.wantNames(b.Good.String(), theirs.String())
	good.Kept, good.Tags = false, []string{"theirs"}
	b.wantCopy("the removal of our keep-tag", b.Good, good)
}

func removalElsewhere(b *bench) {
	good := b.keep(b.Good)
	theirs := b.tagAs(b.Good, "other.test/theirs:v1")
	b.wantThere("our keep-tag", b.drop(ours(good.ID, b.Good)))
	b.wantCold("the removal of the repository's last tag", b.Good)
	if l := b.listed(good.ID); !slices.Equal(l.Tags, []string{theirs.String()}) || len(l.Pins) > 0 || slices.Contains(l.Digests, b.Good.String()) {
		b.Errorf("List = %+v, want %s alone", l, theirs)
	}
	r := warmer.Removal{ID: good.ID, Names: []string{theirs.String()}, Whole: true}
	b.wantGone("their tag", b.drop(r))
}

func removalNames(b *bench) {
	good := b.keep(b.Good)
	v1, v2 := b.tag(b.Good, "v1"), b.tag(b.Good, "v2")
	b.wantThere("one of two", b.drop(warmer.Removal{ID: good.ID, Names: []string{v1.String()}, Whole: true}))
	good.Tags = []string{"v2"}
	b.wantCopy("the removal of a tag", b.Good, good)
	all := warmer.Removal{ID: good.ID, Pins: []registry.Pin{b.Good}, Names: []string{b.Good.String(), v1.String(), v2.String()}, Whole: true}
	b.wantGone("all", b.drop(all))
	b.wantNames()
}

// removalDigest: repo@digest is not taken from below a tag that nobody named.
func removalDigest(b *bench) {
	b.pull(b.Good)
	id := b.inspect(b.Good).ID
	theirs := b.tag(b.Good, "theirs")
	r := warmer.Removal{ID: id, Names: []string{b.Good.String()}}
	b.wantThere("with a tag", b.drop(r), b.Good.String())
	b.wantNames(b.Good.String(), theirs.String())
	b.untag(theirs)
	b.pull(b.Good)
	b.wantGone("the digest alone", b.drop(r))
}

func removalDangling(b *bench) {
	b.pull(b.Good)
	id := b.inspect(b.Good).ID
	second := b.keep(b.Second)
	b.tagAs(b.Good, "other.test/theirs:v1")
	if err := b.Others.RemoveImage(b.ctx, b.Good.String()); err != nil {
		b.Fatalf("docker rmi %s: %v", b.Good, err)
	}
	b.tagAs(b.Second, "other.test/theirs:v1")
	if l := b.listed(id); len(l.Pins) > 0 || len(l.Tags) > 0 || len(l.Digests) > 0 || l.Bytes <= 0 {
		b.Errorf("List = %+v, want no name", l)
	}
	b.wantThere("no name is asked for", b.drop(warmer.Removal{ID: id}))
	b.wantGone("all of it", b.drop(warmer.Removal{ID: id, Whole: true}))
	b.wantCopy("the removal of a dangling image", b.Second, second)
}

// removalMoved: what was a name of the image when it was listed means another one
// now.
func removalMoved(b *bench) {
	good, second := b.keep(b.Good), b.keep(b.Second)
	moved := b.tag(b.Good, "moved")
	b.tag(b.Second, "moved")
	r := ours(good.ID, b.Good)
	r.Names = []string{moved.String()}
	b.wantGone("all", b.drop(r))
	second.Tags = []string{"moved"}
	b.wantCopy("the removal of what the tag meant before", b.Second, second)
}

// removalPulled: an image goes while another one that shares its layers comes.
func removalPulled(b *bench) {
	good := b.keep(b.Good)
	var once sync.Once
	var removing sync.WaitGroup
	kept, err := b.Engine.Keep(b.ctx, b.Second, func(warmer.Progress) {
		once.Do(func() {
			removing.Go(func() { b.wantGone("during a pull", b.dropped(ours(good.ID, b.Good))) })
		})
	})
	removing.Wait()
	if err != nil {
		b.Fatalf("Keep during a removal: %v", err)
	}
	b.wantCold("the removal", b.Good)
	b.wantCopy("a pull during a removal", b.Second, kept)
	c := b.container("pulled", runner.Spec{Command: []string{"print", "x"}})
	c.Pin = b.Second
	made, err := b.Engine.Create(b.ctx, c)
	if err == nil {
		b.lives[made.ID] = made.Life
		err = b.Engine.Start(b.ctx, made.ID)
	}
	if err != nil {
		b.Fatalf("a run of what was pulled: %v", err)
	}
	b.wait(made.ID)
	b.wantTexts("its log", texts(b.log(made.ID, time.Time{}), runner.Stdout), "x")
}

// dropped is drop for another goroutine than the test's.
func (b *bench) dropped(r warmer.Removal) warmer.Removed {
	done, err := b.Engine.RemoveImage(b.ctx, r)
	if err != nil {
		b.Errorf("RemoveImage(%+v): %v", r, err)
	}
	return done
}

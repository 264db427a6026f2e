package dockertest

import (
	"context"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/warmer"
)

func nameTests() []contractTest {
	return []contractTest{
		{"PublishMovesTheTag", publishMoves},
		{"PublishNeedsTheImage", publishNeeds},
		{"PublishRefusesTags", publishRefuses},
		{"OthersDropTheirTag", othersDrop},
		{"OthersDropTheKeepTag", othersDropOurs},
		{"OthersDropTheLastTag", othersDropLast},
		{"WatchTellsOfRemovals", watchTells},
		{"WatchEndsWithItsContext", watchEnds},
	}
}

// inspect gives the copy of a pin that must be there.
func (b *bench) inspect(pin registry.Pin) warmer.Copy {
	b.Helper()
	c, ok, err := b.Engine.Inspect(b.ctx, pin)
	if err != nil || !ok {
		b.Fatalf("Inspect(%s) = %v, %v; want a copy", pin, ok, err)
	}
	return c
}

// tag has someone else tag a pin, and gives the ref.
func (b *bench) tag(pin registry.Pin, tag string) registry.Ref {
	b.Helper()
	if err := b.Others.Tag(b.ctx, pin, tag); err != nil {
		b.Fatalf("tag %s: %v", pin, err)
	}
	return b.ref(pin, tag)
}

func (b *bench) ref(pin registry.Pin, tag string) registry.Ref {
	b.Helper()
	ref, err := registry.NewRef(pin.Repository(), tag)
	if err != nil {
		b.Fatal(err)
	}
	return ref
}

// untag has someone else remove a tag.
func (b *bench) untag(ref registry.Ref) {
	b.Helper()
	if err := b.Others.Untag(b.ctx, ref); err != nil {
		b.Fatalf("untag %s: %v", ref, err)
	}
}

// prune has someone else prune the engine.
func (b *bench) prune() {
	b.Helper()
	if err := b.Others.Prune(b.ctx); err != nil {
		b.Fatalf("prune: %v", err)
	}
}

// publish lets a tag mean a pin.
func (b *bench) publish(pin registry.Pin, tag string) {
	b.Helper()
	if err := b.Engine.Publish(b.ctx, pin, tag); err != nil {
		b.Fatalf("Publish(%s, %q): %v", pin, tag, err)
	}
}

// wantCopy checks what is told of a pin.
func (b *bench) wantCopy(after string, pin registry.Pin, want warmer.Copy) {
	b.Helper()
	if diff := cmp.Diff(want, b.inspect(pin)); diff != "" {
		b.Errorf("after %s, %s (-want +got):\n%s", after, pin, diff)
	}
}

func publishMoves(b *bench) {
	good, second := b.keep(b.Good), b.keep(b.Second)
	b.publish(b.Good, "latest")
	b.publish(b.Good, "latest") // it may be asked for again
	good.Tags = []string{"latest"}
	b.wantCopy("Publish", b.Good, good)
	b.wantCopy("Publish of another", b.Second, second)
	b.publish(b.Second, "latest")
	b.publish(b.Second, "1.4")
	good.Tags, second.Tags = nil, []string{"1.4", "latest"}
	b.wantCopy("the tag moved on", b.Good, good)
	b.wantCopy("Publish under two tags", b.Second, second)
}

func publishNeeds(b *bench) {
	b.wantCode("Publish of a cold image", b.Engine.Publish(b.ctx, b.Good, "latest"), problem.ImageLost)
}

func publishRefuses(b *bench) {
	b.keep(b.Good)
	for _, tag := range []string{"", "not a tag", keepTag(b.Good), ownTags + "1"} {
		b.wantCode("Publish as "+tag, b.Engine.Publish(b.ctx, b.Good, tag), problem.InvalidRequest)
	}
}

// othersDrop does what cron jobs do: without a keep-tag the digest would go
// with the tag, or with the prune.
func othersDrop(b *bench) {
	kept := b.keep(b.Good)
	b.untag(b.tag(b.Good, "latest"))
	b.wantCopy("docker rmi repo:latest", b.Good, kept)
	b.prune()
	b.wantCopy("docker image prune", b.Good, kept)
}

// othersDropOurs: as long as another tag is there the image is, and Keep makes
// it kept again without a pull.
func othersDropOurs(b *bench) {
	kept := b.keep(b.Good)
	b.tag(b.Good, "other")
	b.untag(b.ref(b.Good, keepTag(b.Good)))
	kept.Tags, kept.Kept = []string{"other"}, false
	b.wantCopy("the keep-tag went", b.Good, kept)
	again, err := b.Engine.Keep(b.ctx, b.Good, func(p warmer.Progress) { b.Errorf("progress of what is there: %+v", p) })
	if err != nil {
		b.Fatalf("Keep: %v", err)
	}
	kept.Kept = true
	if diff := cmp.Diff(kept, again); diff != "" {
		b.Errorf("Keep of an untagged image (-want +got):\n%s", diff)
	}
}

// othersDropLast: the last tag of a repository takes repo@digest along.
func othersDropLast(b *bench) {
	b.keep(b.Good)
	b.untag(b.ref(b.Good, keepTag(b.Good)))
	if c, ok, err := b.Engine.Inspect(b.ctx, b.Good); ok || err != nil {
		b.Errorf("Inspect = %+v, %v, %v; want nothing", c, ok, err)
	}
	if c := b.keep(b.Good); !c.Kept {
		b.Errorf("Keep of a removed image gave %+v", c)
	}
}

func watchTells(b *bench) {
	b.keep(b.Good)
	ctx, stop := context.WithCancel(b.ctx)
	defer stop()
	told, ended := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		ended <- b.Engine.Watch(ctx, func(h warmer.Happening) {
			if !h.Removed {
				b.Errorf("Watch told %+v, want a removal", h)
			}
			select {
			case told <- struct{}{}:
			default:
			}
		})
	}()
	// Nothing tells when the watch stands, so something is removed until it does.
	for {
		b.untag(b.tag(b.Good, "passing"))
		select {
		case <-told:
			stop()
			if err := <-ended; err != nil {
				b.Errorf("Watch = %v, want nil at the end of its context", err)
			}
			return
		case err := <-ended:
			b.Fatalf("Watch ended: %v", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func watchEnds(b *bench) {
	ctx, stop := context.WithCancel(b.ctx)
	stop()
	if err := b.Engine.Watch(ctx, func(warmer.Happening) { b.Error("something happened") }); err != nil {
		b.Errorf("Watch = %v, want nil", err)
	}
}

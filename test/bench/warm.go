package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/prewarm/prewarm/test/fleet"
)

const (
	// warmHosts is how many hosts warm at the same moment.
	warmHosts = 3
	// warmAim: resolving, verifying and promoting cost a tenth of a pull at most.
	warmAim = aim(1.10)
)

// benchWarm compares how long a cold image takes to be warm on three hosts with
// three docker pulls that start at the same moment. Each time the image is one
// that no host has seen, of random layers.
//
// "check → current" begins with the request to look at the tag and ends when
// the digest is current, that is, warm and verified on all hosts. "push →
// current" begins when the push has ended and includes up to a second until the
// tag is looked at, because it is watched every second; it has no aim.
func benchWarm(ctx context.Context, r *rig) (t table, err error) {
	t = table{
		title: fmt.Sprintf("A cold image of %d × %s on %d hosts, against `docker pull` started on them at the same moment",
			r.layers, mebibytes(r.layer), warmHosts),
		columns: []string{"measured", "rounds", "prewarm", "docker pull", "ratio", "aim"},
	}
	w, err := newWarming(ctx, r)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, w.server.close()) }()
	took, err := byTurns(ctx, r.rounds, settle, w.check, w.watch, w.pull)
	if err != nil {
		return t, err
	}
	check, watch, pull := took[0], took[1], took[2]
	rounds, seen := fmt.Sprint(r.rounds), ratioOf(check, pull)
	t.add("check → current", rounds, spread(check), spread(pull), seen.String(), warmAim.verdict(seen))
	t.add("push → current, watched every second", rounds, spread(watch), spread(pull), ratioOf(watch, pull).String(), "none: it includes the wait for the look")
	return t, nil
}

// warming is a server with two images: one that is looked at when asked, one
// that is watched.
type warming struct {
	*rig
	server *server
	seed   uint64 // of the last image pushed
}

func newWarming(ctx context.Context, r *rig) (*warming, error) {
	w := &warming{rig: r, seed: uint64(time.Now().UnixNano())}
	images := []string{r.image("check"), r.watched("watch", "@every 1s")}
	first := make(map[string]string)
	for _, name := range []string{"check", "watch"} {
		pin, err := r.push(ctx, name, fleet.ProgramImage("first"))
		if err != nil {
			return nil, err
		}
		first[name] = digest(pin)
	}
	var err error
	if w.server, err = r.serve(ctx, "warm", warmHosts, images...); err != nil {
		return nil, err
	}
	for name, d := range first {
		if err := w.server.awaitCurrent(ctx, name, d); err != nil {
			return nil, errors.Join(err, w.server.close())
		}
	}
	return w, nil
}

// pushNew pushes an image whose random layers nobody has seen.
func (w *warming) pushNew(ctx context.Context, name string) (pin string, err error) {
	w.seed++
	return w.push(ctx, name, fleet.Image{Random: slices.Repeat([]int64{w.layer}, w.layers), Seed: w.seed})
}

// check warms what is there when somebody asks for a look.
func (w *warming) check(ctx context.Context) (time.Duration, error) {
	pin, err := w.pushNew(ctx, "check")
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	found, err := w.server.client.Check(ctx, "check")
	if err != nil {
		return 0, err
	}
	if seen := found.Tracks[0]; !seen.New || seen.Digest != digest(pin) {
		return 0, fmt.Errorf("the look found %+v, want a new %s", seen, pin)
	}
	err = w.server.awaitCurrent(ctx, "check", digest(pin))
	return time.Since(begin), err
}

// watch lets the server find the push.
func (w *warming) watch(ctx context.Context) (time.Duration, error) {
	pin, err := w.pushNew(ctx, "watch")
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	err = w.server.awaitCurrent(ctx, "watch", digest(pin))
	return time.Since(begin), err
}

// pull does it with Docker's own command line, and then removes the image.
func (w *warming) pull(ctx context.Context) (time.Duration, error) {
	pin, err := w.pushNew(ctx, "pull")
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := w.onAllHosts(ctx, "pull", "--quiet", pin); err != nil {
		return 0, err
	}
	took := time.Since(begin)
	return took, w.onAllHosts(ctx, "rmi", pin)
}

// onAllHosts runs a docker command on the hosts at once.
func (w *warming) onAllHosts(ctx context.Context, args ...string) error {
	return w.onHosts(ctx, w.fleet.Hosts[:warmHosts], args...)
}

// settle writes to the disk what the measurement before left in memory, so that
// it is not written during the next one.
func settle(ctx context.Context) error {
	syscall.Sync()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(calm):
		return nil
	}
}

func mebibytes(n int64) string { return fmt.Sprintf("%.3g MiB", float64(n)/(1<<20)) }

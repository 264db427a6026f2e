// Command bench measures Prewarm against the Docker tools that it replaces, on
// real engines on this machine, and prints Markdown tables for
// docs/benchmarks.md.
//
//	go run ./test/bench                  all of them
//	go run ./test/bench -n 3 run         one of them, with fewer pairs
//
//	go run ./test/bench -update docs/benchmarks.md footprint
//
// writes the figures where the document has a place for them.
//
// Every figure is a ratio from one run: Prewarm and its counterpart do the same
// work by turns, each on a machine that the other has left alone, so that what
// else the machine does falls on both. A duration by itself says little; it
// belongs to this machine.
//
// It needs root and what test/setup.sh installs.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// settings says how much is measured, and with what.
type settings struct {
	pairs  int    // of runs
	rounds int    // of warming
	layers int    // random layers of a cold image
	layer  int64  // bytes of each
	docker string // Docker's command line

	repositories, tags int           // of each, that are watched
	every              time.Duration // how often each tag is looked at

	lines, firehose  int           // of a log
	talkers          int           // runs that print at once
	listen           time.Duration // for which a server is watched while they do
	underWay, active int           // runs when a server is killed: on engines, and in memory

	// Of the footprint: hosts and images that are watched at rest, for how long and
	// how long after there was something to do, and starts, with so many ended runs
	// in the state.
	hosts, images         int
	settle, idle          time.Duration
	startCount, endedRuns int

	update string // a document that gets the figures; empty: none
}

// benchmark is one question and how it is answered.
type benchmark struct {
	name  string
	hosts int // how many the fleet must have; 0: as many as -hosts says
	run   func(ctx context.Context, r *rig) (table, error)
}

func benchmarks() []benchmark {
	return []benchmark{
		{name: "run", hosts: 1, run: benchRun},
		{name: "first-line", hosts: 1, run: benchFirstLine},
		{name: "warm", hosts: warmHosts, run: benchWarm},
		{name: "watch", hosts: 1, run: benchWatch},
		{name: "fanout", hosts: fanoutHosts, run: benchFanout},
		{name: "lines", hosts: 1, run: benchLines},
		{name: "lag", hosts: 1, run: benchLag},
		{name: "firehose", hosts: 1, run: benchFirehose},
		{name: "memory", hosts: memoryHosts, run: benchMemory},
		{name: "submit", hosts: 1, run: benchSubmit},
		{name: "recovery", hosts: memoryHosts, run: benchRecovery},
		{name: "footprint", run: benchFootprint},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if words := os.Getenv(fakeVariable); words != "" {
		err = beFake(ctx, words, os.Stdout)
	} else {
		err = run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:gocritic // stop has nothing to give back any more
	}
}

// run measures what the arguments name; tables go to out, news to log.
func run(ctx context.Context, args []string, out, log io.Writer) error {
	s, chosen, err := parse(args, log)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	var doc *document
	if s.update != "" {
		if doc, err = openDocument(s.update, chosen); err != nil {
			return err
		}
	}
	hosts := 0
	for _, b := range chosen {
		hosts = max(hosts, cmp.Or(b.hosts, s.hosts))
	}
	r, err := newRig(ctx, s, hosts, log)
	if err != nil {
		return err
	}
	machine, err := r.machine(ctx)
	if err != nil {
		return errors.Join(err, r.close())
	}
	fmt.Fprintln(out, machine)
	err = measure(ctx, r, chosen, func(b benchmark, t table) error {
		fmt.Fprintf(out, "\n%s", t)
		if doc == nil {
			return nil
		}
		return doc.put(b.name, section(args, machine, t))
	})
	return errors.Join(err, r.close())
}

// measure answers one question after the other, and shows each answer.
func measure(ctx context.Context, r *rig, chosen []benchmark, show func(benchmark, table) error) error {
	for _, b := range chosen {
		fmt.Fprintf(r.log, "measuring: %s\n", b.name)
		if err := r.clear(ctx); err != nil {
			return err
		}
		t, err := b.run(ctx, r)
		if err != nil {
			return fmt.Errorf("measure %s: %w", b.name, err)
		}
		if err := show(b, t); err != nil {
			return err
		}
	}
	return nil
}

// parse reads flags and the names of benchmarks; none means all.
func parse(args []string, usage io.Writer) (settings, []benchmark, error) {
	var s settings
	all := benchmarks()
	var names []string
	for _, b := range all {
		names = append(names, b.name)
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.IntVar(&s.pairs, "n", 20, "pairs of runs to measure")
	flags.IntVar(&s.rounds, "rounds", 5, "rounds of warming to measure")
	flags.IntVar(&s.layers, "layers", 4, "random layers of a cold image")
	flags.Int64Var(&s.layer, "layer-bytes", 20<<20, "bytes of each of them")
	flags.StringVar(&s.docker, "docker", "docker", "Docker's command line")
	flags.IntVar(&s.repositories, "repositories", 100, "repositories to watch")
	flags.IntVar(&s.tags, "tags", 10, "tags to watch in each of them")
	flags.DurationVar(&s.every, "every", 10*time.Second, "how often to look at each tag, in whole seconds")
	flags.IntVar(&s.lines, "lines", 1_000_000, "lines of a log that is followed")
	flags.IntVar(&s.firehose, "firehose", 10_000_000, "lines of the firehose")
	flags.IntVar(&s.talkers, "talkers", 200, "runs that print at once")
	flags.DurationVar(&s.listen, "listen", 30*time.Second, "how long a server is watched once all of them print")
	flags.IntVar(&s.underWay, "under-way", 60, "runs on engines when a server is killed")
	flags.IntVar(&s.active, "active", 1000, "runs in memory when a server is killed")
	flags.IntVar(&s.hosts, "hosts", 10, "hosts of the footprint")
	flags.IntVar(&s.images, "images", 100, "images of the footprint")
	flags.DurationVar(&s.settle, "settle", 95*time.Second, "how long a server is left alone before it is taken to be at rest")
	flags.DurationVar(&s.idle, "idle", time.Minute, "how long a server at rest is watched")
	flags.IntVar(&s.startCount, "starts", 8, "starts of a server with each kind of state")
	flags.IntVar(&s.endedRuns, "ended", 10_000, "ended runs in a state")
	flags.StringVar(&s.update, "update", "", "a Markdown `file` that gets the figures, where it has places for them")
	flags.Usage = func() {
		fmt.Fprintf(usage, "usage: bench [flags] [%s]...\n", strings.Join(names, "|"))
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return s, nil, err
	}
	numbers := []int{s.pairs, s.rounds, s.layers, int(s.layer), s.repositories, s.tags, s.lines, s.firehose, s.talkers, s.underWay, s.active}
	numbers = append(numbers, s.hosts, s.images, s.startCount, s.endedRuns)
	if slices.Min(numbers) < 1 || min(s.every, s.idle, s.listen) < time.Second || s.settle < 0 {
		return s, nil, errors.New("all numbers are 1 or more, and -every, -idle and -listen a second or more")
	}
	chosen := all
	if flags.NArg() > 0 {
		chosen = slices.DeleteFunc(all, func(b benchmark) bool { return !slices.Contains(flags.Args(), b.name) })
	}
	for _, name := range flags.Args() {
		if !slices.Contains(names, name) {
			return s, nil, fmt.Errorf("no benchmark is called %q; there are: %s", name, strings.Join(names, ", "))
		}
	}
	return s, chosen, nil
}

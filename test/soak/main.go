// Command soak lets pieces of work run on real engines for a while, fifty at a
// time, and kills at random what they need: the server, an engine, a link. Then
// it mends everything, waits for all work, and proves what was promised of it.
//
//	go run ./test/soak              ten minutes
//	go run ./test/soak -for 2m      shorter
//	go run ./test/soak -seed 7      the work and the faults of an earlier time
//
// What it proves, for each piece of work: never two containers of it at once, and
// never another one after it succeeded; an outcome that is what the program did,
// or that a fault explains; a log with each line once, in its order, whole or with
// the word that it is not; the same lines to whoever read them before. And at the
// end: no container, process or log that belongs to nobody, and a server that is
// no bigger than it was.
//
// Two things prove it that know nothing of Prewarm. Each program holds a lock of
// its own name for as long as it lives, and keeps a ledger of its start and its
// end (see test/fleet/program): all hosts are on this machine, so they share both.
// And each line has a number.
//
// A seed gives the same work and the same faults at about the same times; what
// meets what is chance.
//
// It needs root and what test/setup.sh installs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// settings says how long, how much, and what chance is.
type settings struct {
	length time.Duration // new work is begun for so long
	atOnce int           // pieces of work
	seed   uint64
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		err = run(ctx, s, os.Stdout, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1) //nolint:gocritic // stop has nothing to give back any more
	}
}

func parse(args []string, usage io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.DurationVar(&s.length, "for", 10*time.Minute, "how long new work is begun")
	flags.IntVar(&s.atOnce, "runs", 50, "pieces of work at a time")
	flags.Uint64Var(&s.seed, "seed", uint64(time.Now().UnixNano()), "chance; the report says which one was used")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if s.length < time.Second || s.atOnce < 1 || flags.NArg() > 0 {
		return s, errors.New("-for is a second or more, -runs 1 or more, and there are no further arguments")
	}
	return s, nil
}

// run lives through it. The report goes to out, news to log; an invariant that
// does not hold is the error, with its evidence in the report.
func run(ctx context.Context, s settings, out, log io.Writer) (err error) {
	w, err := newWorld(ctx, s, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close(err != nil)) }()
	before, err := w.size(ctx)
	if err != nil {
		return err
	}
	b := newBook()
	begin := time.Now()
	if err := w.live(ctx, b); err != nil {
		return err
	}
	took := time.Since(begin)
	after, err := w.size(ctx)
	if err != nil {
		return err
	}
	found, err := w.gather(ctx, b)
	if err != nil {
		return err
	}
	found.before, found.after = before, after
	breaches := found.check()
	fmt.Fprint(out, found.report(s, took))
	for _, breach := range breaches {
		fmt.Fprintln(out, breach)
	}
	if len(breaches) > 0 {
		return fmt.Errorf("%d promises were broken; the seed was %d", len(breaches), s.seed)
	}
	return nil
}

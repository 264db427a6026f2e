// Command rig starts real Docker hosts and a registry on this machine, to try
// things by hand, and ends them:
//
//	go run ./test/rig up [--hosts N] [--dir D] [--detach]
//	go run ./test/rig down [--dir D]
//
// "up" prints where the hosts and the registry are and waits for Ctrl-C, then
// takes all down; with --detach it ends at once and leaves them running. Where
// a rig is up in the folder already it says where, and starts no other. "down"
// ends the rig in the folder and whatever killed programs left behind; with
// nothing to end it does nothing. What a rig is, package fleet tells.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"text/tabwriter"

	"github.com/prewarm/prewarm/test/fleet"
)

const usage = "usage: go run ./test/rig up [--hosts N] [--dir D] [--detach] | down [--dir D]"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "rig:", err)
		os.Exit(1)
	}
}

// run does what the arguments say. Tables go to out, steps to log.
func run(ctx context.Context, args []string, out, log io.Writer) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.SetOutput(log)
	// One folder for all calls, so that down finds what up made.
	dir := flags.String("dir", filepath.Join(os.TempDir(), "prewarm-rig"), "folder of the rig, removed with it")
	switch args[0] {
	case "up":
		hosts := flags.Int("hosts", fleet.DefaultHosts, "how many hosts")
		detach := flags.Bool("detach", false, "leave the rig running and end")
		if err := parse(flags, args[1:]); err != nil {
			return err
		}
		return up(ctx, fleet.Options{Hosts: *hosts, Dir: *dir, Detached: *detach, Log: log}, out)
	case "down":
		if err := parse(flags, args[1:]); err != nil {
			return err
		}
		return down(ctx, *dir, log)
	}
	return fmt.Errorf("no command %q; %s", args[0], usage)
}

func parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected %q; %s", flags.Arg(0), usage)
	}
	return nil
}

func up(ctx context.Context, o fleet.Options, out io.Writer) error {
	f, err := fleet.Load(o.Dir)
	if err == nil && !f.Abandoned() {
		fmt.Fprintln(o.Log, "a rig is up in this folder already")
		return show(out, f)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if f, err = fleet.Up(ctx, o); err != nil {
		return err
	}
	if err := show(out, f); err != nil || o.Detached {
		return err
	}
	fmt.Fprintln(o.Log, "Ctrl-C takes it down")
	<-ctx.Done()
	return f.Down()
}

func down(ctx context.Context, dir string, log io.Writer) error {
	f, err := fleet.Load(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return err
	default:
		fmt.Fprintln(log, "taking down the rig in", dir)
		if err := f.Down(); err != nil {
			return err
		}
	}
	return fleet.Clear(ctx, log)
}

// show prints where everything is.
func show(out io.Writer, f *fleet.Fleet) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "HOST\tSOCKET\tTCP")
	for _, h := range f.Hosts {
		fmt.Fprintf(w, "%s\t%s\t%s\n", h.Name, h.Socket, h.TCP)
	}
	fmt.Fprintf(w, "\nregistry\t%s\nfolder\t%s\n", f.Registry.Addr, f.Dir)
	return w.Flush()
}

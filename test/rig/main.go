// Command rig starts real Docker hosts and a registry on this machine, to try
// things by hand or from tests in other languages, and ends them:
//
//	go run ./test/rig up [--hosts N] [--engine29 N] [--tls] [--ssh] [--dir D] [--detach] [-o json]
//	go run ./test/rig show [--dir D] [-o json]
//	go run ./test/rig push [--dir D] [--version V] [--random BYTES]… [--seed N] [--node] REPOSITORY:TAG
//	go run ./test/rig down [--dir D]
//	go run ./test/rig engine29
//
// "up" prints where the hosts and the registry are and waits for Ctrl-C, then
// takes all down; with --detach it ends at once and leaves them running. Where
// a rig is up in the folder already it says where, and starts no other. "show"
// says where, and fails where there is none. "push" puts an image into the
// rig's registry and prints its digest: the test program of package fleet, or
// with --node a program on Node. "down" ends the rig in the folder and whatever
// killed programs left behind; with nothing to end it does nothing. "engine29"
// builds a current engine, once, and says where. What a rig is, package fleet
// tells.
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
	"slices"
	"syscall"

	"github.com/prewarm/prewarm/test/fleet"
)

const usage = "usage: go run ./test/rig up [--hosts N] [--engine29 N] [--tls] [--ssh] [--dir D] [--detach] [-o json]" +
	" | show [--dir D] [-o json]" +
	" | push [--dir D] [--version V] [--random BYTES]... [--seed N] [--node] REPOSITORY:TAG" +
	" | down [--dir D] | engine29"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "rig:", err)
		os.Exit(1)
	}
}

// run does what the arguments say. What was asked for goes to out, steps to
// log.
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
		return runUp(ctx, flags, args[1:], dir, out, log)
	case "show":
		return runShow(flags, args[1:], dir, out)
	case "push":
		return runPush(ctx, flags, args[1:], dir, out)
	case "down":
		if err := parse(flags, args[1:]); err != nil {
			return err
		}
		return down(ctx, *dir, log)
	case "engine29":
		if err := parse(flags, args[1:]); err != nil {
			return err
		}
		built, err := fleet.BuildEngine29(ctx, log)
		if err == nil {
			fmt.Fprintln(out, built)
		}
		return err
	}
	return fmt.Errorf("no command %q; %s", args[0], usage)
}

// parse reads flags of a command that has nothing else.
func parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected %q; %s", flags.Arg(0), usage)
	}
	return nil
}

func runUp(ctx context.Context, flags *flag.FlagSet, args []string, dir *string, out, log io.Writer) error {
	hosts := flags.Int("hosts", fleet.DefaultHosts, "how many hosts")
	modern := flags.Int("engine29", 0, "how many of the hosts, the last ones, run a current engine")
	var kind fleet.HostOptions
	flags.BoolVar(&kind.SSH, "ssh", false, "an sshd on each host")
	secure := flags.Bool("tls", false, "engines with TLS on the network")
	detach := flags.Bool("detach", false, "leave the rig running and end")
	format := formatOf(flags)
	if err := parse(flags, args); err != nil {
		return err
	}
	if *secure {
		kind.TLS = fleet.MutualTLS
	}
	each := slices.Repeat([]fleet.HostOptions{kind}, max(0, *hosts))
	for i := max(0, len(each)-*modern); i < len(each); i++ {
		each[i].Engine = fleet.Engine29
	}
	return up(ctx, fleet.Options{Hosts: *hosts, Each: each, Dir: *dir, Detached: *detach, Log: log}, *format, out)
}

func up(ctx context.Context, o fleet.Options, as format, out io.Writer) error {
	f, err := fleet.Load(o.Dir)
	if err == nil && !f.Abandoned() {
		fmt.Fprintln(o.Log, "a rig is up in this folder already")
		return as.show(out, f)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if f, err = fleet.Up(ctx, o); err != nil {
		return err
	}
	if err := as.show(out, f); err != nil || o.Detached {
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

// Command rig starts real Docker hosts and a registry on this machine, to try
// things by hand, and ends them:
//
//	go run ./test/rig up [--hosts N] [--engine29 N] [--tls] [--ssh] [--dir D] [--detach]
//	go run ./test/rig down [--dir D]
//	go run ./test/rig engine29
//
// "up" prints where the hosts and the registry are and waits for Ctrl-C, then
// takes all down; with --detach it ends at once and leaves them running. Where
// a rig is up in the folder already it says where, and starts no other. "down"
// ends the rig in the folder and whatever killed programs left behind; with
// nothing to end it does nothing. "engine29" builds a current engine, once, and
// says where. What a rig is, package fleet tells.
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
	"text/tabwriter"

	"github.com/prewarm/prewarm/test/fleet"
)

const usage = "usage: go run ./test/rig up [--hosts N] [--engine29 N] [--tls] [--ssh] [--dir D] [--detach] | down [--dir D] | engine29"

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
		modern := flags.Int("engine29", 0, "how many of the hosts, the last ones, run a current engine")
		var kind fleet.HostOptions
		flags.BoolVar(&kind.SSH, "ssh", false, "an sshd on each host")
		secure := flags.Bool("tls", false, "engines with TLS on the network")
		detach := flags.Bool("detach", false, "leave the rig running and end")
		if err := parse(flags, args[1:]); err != nil {
			return err
		}
		if *secure {
			kind.TLS = fleet.MutualTLS
		}
		each := slices.Repeat([]fleet.HostOptions{kind}, max(0, *hosts))
		for i := max(0, len(each)-*modern); i < len(each); i++ {
			each[i].Engine = fleet.Engine29
		}
		return up(ctx, fleet.Options{Hosts: *hosts, Each: each, Dir: *dir, Detached: *detach, Log: log}, out)
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
	fmt.Fprintln(w, "HOST\tENGINE\tSOCKET\tTCP")
	for _, h := range f.Hosts {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", h.Name, h.Engine, h.Socket, h.TCP)
	}
	for _, h := range f.Hosts {
		if h.CertDir != "" {
			fmt.Fprintf(w, "\n%s, certificates\t%s\n", h.Name, h.CertDir)
		}
		if h.SSH != nil {
			fmt.Fprintf(w, "\n%s, ssh\t%s\nkey\t%s\nknown hosts\t%s\n", h.Name, h.SSH.URL, h.SSH.KeyFile, h.SSH.KnownHosts)
		}
	}
	fmt.Fprintf(w, "\nregistry\t%s\nfolder\t%s\n", f.Registry.Addr, f.Dir)
	return w.Flush()
}

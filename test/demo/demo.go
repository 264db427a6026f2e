package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/api"
)

// demo is the story. What it starts is in stage.
type demo struct {
	options
	*console
	stage
}

// show tells the story to its end or to the first failure.
func (d *demo) show(ctx context.Context) error {
	d.say("Prewarm keeps images warm on Docker hosts, and runs tasks only where they are warm.\n" +
		"This shows it on three real Docker hosts, which live on this machine for a moment.")
	steps := []func(context.Context) error{d.hosts, d.firstPush, d.serve, d.warm, d.run, d.secondPush, d.promoted, d.table}
	if d.keep {
		steps = append(steps, d.wait)
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) hosts(ctx context.Context) error {
	d.title("Three Docker hosts and a registry, in network namespaces of their own")
	if err := d.up(ctx, d.out); err != nil {
		return err
	}
	for _, h := range d.fleet.Hosts {
		d.say("  %s     %s", h.Name, h.TCP)
	}
	d.say("  registry  %s", d.fleet.Registry.Addr)
	return nil
}

func (d *demo) firstPush(ctx context.Context) error {
	d.title("CI builds an image and pushes it: " + d.jobs().describe())
	image, err := d.jobs().first(ctx)
	if err != nil {
		return err
	}
	d.first, err = d.push(ctx, image)
	if err != nil {
		return err
	}
	d.say("pushed %s/%s:latest, %s", d.fleet.Registry.Addr, repository, short(d.first))
	return nil
}

func (d *demo) serve(ctx context.Context) error {
	d.title("Prewarm serves: a configuration, a command")
	text, err := d.configure()
	if err != nil {
		return err
	}
	d.typed("cd", d.dir, "&& cat prewarm.yaml")
	d.say("%s", strings.TrimSpace(text))
	d.typed("prewarm serve --config prewarm.yaml 2>serve.log &")
	if err := d.startServer(ctx); err != nil {
		return err
	}
	d.say("serving on %s, log in %s", d.server.URL, d.logFile())
	if d.server.URL != defaultURL {
		d.typed("export PREWARM_URL=" + d.server.URL)
	}
	return nil
}

func (d *demo) warm(ctx context.Context) error {
	d.title("The image goes warm on every host, before anybody needs it")
	if err := d.prewarm(ctx, "warm", imageName); err != nil {
		return err
	}
	return d.awaitCurrent(ctx, d.first)
}

func (d *demo) run(ctx context.Context) error {
	d.title("A task runs on a host where the image is warm; its lines come as they are printed")
	return d.prewarm(ctx, append([]string{"run", imageName, "--"}, d.jobs().slowly(4, 500)...)...)
}

func (d *demo) secondPush(ctx context.Context) error {
	d.title(fmt.Sprintf("CI pushes a second version, with %d MiB that no host has", newLayer>>20))
	image, err := d.jobs().second(ctx)
	if err != nil {
		return err
	}
	if d.second, err = d.push(ctx, image); err != nil {
		return err
	}
	d.say("pushed %s/%s:latest, %s", d.fleet.Registry.Addr, repository, short(d.second))
	if err := d.prewarm(ctx, "check", imageName); err != nil {
		return err
	}
	d.say("It is warming. Whoever runs a task now waits for nothing and gets the first version:")
	if err := d.runsOn(ctx, "v1"); err != nil {
		return err
	}
	return d.prewarm(ctx, "warm", imageName)
}

func (d *demo) promoted(ctx context.Context) error {
	d.title("It is warm everywhere, so it is promoted: the next task gets the second version")
	if err := d.awaitCurrent(ctx, d.second); err != nil {
		return err
	}
	return d.runsOn(ctx, "v2")
}

func (d *demo) table(ctx context.Context) error {
	d.title("Which host holds what")
	return d.prewarm(ctx, "status")
}

// runsOn runs a task and wants it to be of that version: a demo that shows the
// wrong thing has failed.
func (d *demo) runsOn(ctx context.Context, version string) error {
	args := append([]string{"run", imageName, "--"}, d.jobs().whichVersion()...)
	printed, err := d.runAndRead(ctx, d.server.Command(ctx, args...), typedAs(args)...)
	if err == nil && !slices.Contains(strings.Fields(printed), version) {
		return fmt.Errorf("the task should have run on %s", version)
	}
	return err
}

// prewarm shows a command line of the program.
func (d *demo) prewarm(ctx context.Context, args ...string) error {
	return d.console.run(ctx, d.server.Command(ctx, args...), typedAs(args)...)
}

func typedAs(args []string) []string { return append([]string{"prewarm"}, args...) }

func (d *demo) jobs() jobs { return jobs{small: d.small} }

// promotion is how long a promotion may take once an image is warm: it is a
// write to the disk.
const promotion = 10 * time.Second

// awaitCurrent waits until runs get a digest.
func (d *demo) awaitCurrent(ctx context.Context, digest string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, promotion, errors.New("it was not promoted"))
	defer cancel()
	client := api.Client{URL: d.server.URL}
	for {
		image, err := client.Image(ctx, imageName)
		if err == nil && image.Tracks[0].Current != nil && image.Tracks[0].Current.Digest == digest {
			d.say("current: %s", short(digest))
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", short(digest), context.Cause(ctx))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// wait lets the reader try commands until Enter or a signal. Where nobody can
// press Enter, only a signal ends it.
func (d *demo) wait(ctx context.Context) error {
	d.title("Your turn")
	d.typed(fmt.Sprintf("cd %s && export PATH=$PWD:$PATH PREWARM_URL=%s", d.dir, d.server.URL))
	d.say("in another terminal, for instance: prewarm status, or docker -H %s ps -a.\nEnter takes everything down.", d.fleet.Hosts[0].TCP)
	pressed := make(chan struct{})
	go func() {
		if n, err := os.Stdin.Read(make([]byte, 1)); n > 0 && err == nil {
			close(pressed)
		}
	}()
	select {
	case <-pressed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// short is as much of a digest as people use.
func short(digest string) string { return digest[:min(len(digest), len("sha256:")+12)] }

// logFile is where the server's log goes.
func (s *stage) logFile() string { return filepath.Join(s.dir, "serve.log") }

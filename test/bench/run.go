package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/prewarm/prewarm/test/fleet"
)

// runAim: to be told everything about a run costs nothing.
const runAim = aim(1.00)

// benchRun compares prewarm run with docker run --rm: the same program, which
// prints one line and ends, from the same digest on the same host, from the
// start of the command to its exit.
func benchRun(ctx context.Context, r *rig) (t table, err error) {
	t = table{
		title:   "`prewarm run` of a warm one-line image against `docker run --rm`",
		columns: []string{"network", "pairs", "prewarm run", "docker run --rm", "ratio", "aim"},
	}
	pin, err := r.push(ctx, "run", fleet.ProgramImage("one line"))
	if err != nil {
		return t, err
	}
	s, err := r.serve(ctx, "run", 1, r.image("run"))
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.awaitCurrent(ctx, "run", digest(pin)); err != nil {
		return t, err
	}
	host := r.fleet.Hosts[0]
	for _, network := range []string{"bridge", "none"} {
		took, err := byTurns(ctx, r.pairs, newEngine(host).rest,
			func(ctx context.Context) (time.Duration, error) {
				return oneLine(s.Command(ctx, "run", "--network", network, "run"))
			},
			func(ctx context.Context) (time.Duration, error) {
				return oneLine(r.dockerCommand(ctx, host, "run", "--rm", "--network", network, pin))
			})
		if err != nil {
			return t, err
		}
		q := ratioOf(took[0], took[1])
		t.add(network, fmt.Sprint(r.pairs), spread(took[0]), spread(took[1]), q.String(), runAim.verdict(q))
	}
	return t, nil
}

// oneLine times a command from its start to its exit and wants the line that
// the program prints.
func oneLine(cmd *exec.Cmd) (time.Duration, error) {
	var out, said strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &said
	begin := time.Now()
	err := cmd.Run()
	took := time.Since(begin)
	if err != nil {
		return 0, fmt.Errorf("%s: %w: %s", cmd, err, strings.TrimSpace(said.String()))
	}
	if out.String() != "program one line\n" {
		return 0, fmt.Errorf("%s printed %q", cmd, out.String())
	}
	return took, nil
}

// push pushes an image as bench/NAME:latest and gives its full name by digest.
func (r *rig) push(ctx context.Context, name string, img fleet.Image) (pin string, err error) {
	d, err := r.fleet.Registry.Push(ctx, "bench/"+name+":latest", img)
	if err != nil {
		return "", err
	}
	return r.repository(name) + "@" + d, nil
}

func digest(pin string) string {
	_, d, _ := strings.Cut(pin, "@")
	return d
}

// repository is where push puts an image of that name.
func (r *rig) repository(name string) string { return r.fleet.Registry.Addr + "/bench/" + name }

// image is the configuration of an image whose tag is looked at once, at the
// start, and when somebody asks.
func (r *rig) image(name string) string { return r.watched(name, "@every 24h") }

func (r *rig) watched(name, schedule string) string {
	return fmt.Sprintf("{name: %s, repository: %s, watch: '%s'}", name, r.repository(name), schedule)
}

// dockerCommand is Docker's command line on a host, by the way that Prewarm
// takes, without anybody's configuration.
func (r *rig) dockerCommand(ctx context.Context, h *fleet.Host, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, r.docker, append([]string{"--host", h.TCP}, args...)...)
	cmd.Env = append(os.Environ(), "DOCKER_CONFIG="+r.dir, "DOCKER_CONTEXT=", "DOCKER_HOST=")
	return cmd
}

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/prewarm/prewarm/test/fleet"
)

// benchRun compares prewarm run with docker run --rm: the same program, which
// prints one line and ends, from the same digest on the same host, from the
// start of the command to its exit.
func benchRun(ctx context.Context, r *rig) (table, error) {
	t := table{
		title:   "`prewarm run` of a warm one-line image against `docker run --rm`",
		columns: []string{"network", "pairs", "prewarm run", "docker run --rm", "ratio", "aim"},
	}
	pin, err := r.push(ctx, "bench/run", fleet.ProgramImage("one line"))
	if err != nil {
		return t, err
	}
	s, err := r.serve(ctx, "run", 1, image("run", pin))
	if err != nil {
		return t, err
	}
	defer func() { _ = s.Kill() }() // its state is thrown away
	if err := s.awaitCurrent(ctx, "run", digest(pin)); err != nil {
		return t, err
	}
	host := r.fleet.Hosts[0]
	for _, network := range []string{"bridge", "none"} {
		c, err := compare(ctx, r.pairs, newEngine(host).rest,
			func(ctx context.Context) (time.Duration, error) {
				return oneLine(s.Command(ctx, "run", "--network", network, "run"))
			},
			func(ctx context.Context) (time.Duration, error) {
				return oneLine(r.dockerCommand(ctx, host, "run", "--rm", "--network", network, pin))
			})
		if err != nil {
			return t, err
		}
		t.add(network, fmt.Sprint(r.pairs), spread(c.ours), spread(c.theirs), fmt.Sprintf("%.2f", c.ratio()), verdict("≤ 1.00", c.ratio() <= 1.004))
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
	if err != nil || out.String() != "program one line\n" {
		return 0, fmt.Errorf("%s: printed %q, %q: %w", cmd, out.String(), said.String(), err)
	}
	return took, nil
}

// push pushes an image as repo:latest and gives its full name by digest.
func (r *rig) push(ctx context.Context, repo string, img fleet.Image) (pin string, err error) {
	d, err := r.fleet.Registry.Push(ctx, repo+":latest", img)
	if err != nil {
		return "", err
	}
	return r.fleet.Registry.Addr + "/" + repo + "@" + d, nil
}

func digest(pin string) string {
	_, d, _ := strings.Cut(pin, "@")
	return d
}

// image is the configuration of an image whose tag is looked at once, at the
// start, and when somebody asks.
func image(name, pin string) string {
	repo, _, _ := strings.Cut(pin, "@")
	return fmt.Sprintf("{name: %s, repository: %s, watch: '@every 24h'}", name, repo)
}

// dockerCommand is Docker's command line on a host, by the way that Prewarm
// takes, without anybody's configuration.
func (r *rig) dockerCommand(ctx context.Context, h *fleet.Host, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, r.docker, append([]string{"--host", h.TCP}, args...)...)
	cmd.Env = append(os.Environ(), "DOCKER_CONFIG="+r.dir, "DOCKER_CONTEXT=", "DOCKER_HOST=")
	return cmd
}

package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	// readyTimeout bounds the start of a daemon: about two seconds on an idle
	// machine with two cores, so ten times more on one that is kept busy.
	readyTimeout = 60 * time.Second
	// stopTimeout bounds the orderly end of a daemon. An engine gives its
	// containers 15 s (its default shutdown timeout) before it kills them.
	stopTimeout = 40 * time.Second
	// killTimeout bounds the sweep after SIGKILL, which nothing resists but a
	// process that waits for a disk.
	killTimeout = 20 * time.Second
	// pingTimeout bounds one readiness probe.
	pingTimeout = 2 * time.Second
	// logTail is how much of a daemon's log goes into an error.
	logTail = 3000
)

// daemon is a program of a fleet that runs in the background: an engine, a
// registry, an sshd. What it is doing is on disk, so another process can end it.
type daemon struct {
	name string   // as told in errors: "etl-1", "registry"
	mark mark     // set on it and on whatever it starts
	dir  string   // its folder
	argv []string // the program and its arguments
	// join is what is run instead while something lives that an earlier start
	// left behind, of which p is a process; nil: argv.
	join func(p process) []string
	path string   // its PATH; empty is searchPath
	env  []string // further environment, as NAME=VALUE
	// ping is the address that answers 200 once the daemon serves. For one that
	// is no HTTP server it is empty, and to be reached is enough.
	ping string
	// dial reaches the daemon.
	dial dialer
}

// dialer opens a connection to one place.
type dialer func(ctx context.Context) (net.Conn, error)

// dialTo reaches an address in this machine's own network namespace.
func dialTo(network, addr string) dialer {
	return func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, addr)
	}
}

func (d daemon) logFile() string     { return filepath.Join(d.dir, "log") }
func (d daemon) processFile() string { return filepath.Join(d.dir, "process.json") }

// start runs the daemon and waits until it serves. One that runs already is
// only waited for.
func (d daemon) start(ctx context.Context) error {
	p, err := d.process()
	if err != nil {
		return err
	}
	if !p.alive() {
		if p, err = d.spawn(ctx); err != nil {
			return fmt.Errorf("start %s: %w", d.name, err)
		}
	}
	if err := d.ready(ctx, p); err != nil {
		return fmt.Errorf("start %s: %w; its log ends with:\n%s", d.name, err, d.tail())
	}
	return nil
}

// spawn starts the daemon in a session of its own, so that Ctrl-C in a
// terminal reaches the fleet's owner only, who then ends it in order. Its
// environment is empty but for what is named here: a proxy meant for this
// machine would otherwise swallow every pull.
func (d daemon) spawn(ctx context.Context) (process, error) {
	log, err := os.OpenFile(d.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return process{}, fmt.Errorf("open log: %w", err)
	}
	defer log.Close()
	argv, err := d.command()
	if err != nil {
		return process{}, err
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), argv[0], argv[1:]...)
	cmd.Dir = d.dir
	cmd.Env = append([]string{"PATH=" + cmp.Or(d.path, searchPath()), d.mark.environ()}, d.env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return process{}, err
	}
	p, err := processOf(cmd.Process.Pid)
	go func() { _ = cmd.Wait() }() // takes the ended child off the process table
	if err != nil {
		return process{}, err
	}
	return p, d.remember(p)
}

// command is what to run: beside what is left of an earlier start, or anew.
func (d daemon) command() ([]string, error) {
	if d.join == nil {
		return d.argv, nil
	}
	left, err := d.mark.started()
	if err != nil || len(left) == 0 {
		return d.argv, err
	}
	return d.join(left[0]), nil
}

// ready probes the daemon until it serves, has ended, or took too long.
func (d daemon) ready(ctx context.Context, p process) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	last := errors.New("none was answered")
	for {
		err := d.probe(ctx)
		switch {
		case err == nil:
			return nil
		case !p.alive():
			return errors.New("it ended before it served")
		case ctx.Err() == nil:
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w (last: %w)", cmp.Or(d.ping, d.name), ctx.Err(), last)
		case <-time.After(pollPause):
		}
	}
}

// probe asks the daemon once whether it serves.
func (d daemon) probe(ctx context.Context) error {
	if d.ping == "" {
		conn, err := d.dial(ctx)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	return ping(ctx, &http.Client{
		Timeout: pingTimeout,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return d.dial(ctx) },
		},
	}, d.ping)
}

func ping(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", resp.Status)
	}
	return nil
}

// stop asks the daemon to end and waits for it.
func (d daemon) stop() error {
	p, err := d.process()
	if err != nil || !p.alive() {
		return err
	}
	if err := p.signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", d.name, err)
	}
	if !p.gone(stopTimeout) {
		return fmt.Errorf("stop %s: process %d still runs %v after SIGTERM", d.name, p.PID, stopTimeout)
	}
	return nil
}

// crash kills the daemon alone, and waits until it is gone.
func (d daemon) crash() error {
	p, err := d.process()
	if err != nil || !p.alive() {
		return err
	}
	if err := p.signal(syscall.SIGKILL); err != nil {
		return fmt.Errorf("crash %s: %w", d.name, err)
	}
	if !p.gone(killTimeout) {
		return fmt.Errorf("crash %s: process %d still runs %v after SIGKILL", d.name, p.PID, killTimeout)
	}
	return nil
}

// process reads who the daemon was when it was last started.
func (d daemon) process() (process, error) {
	b, err := os.ReadFile(d.processFile())
	if errors.Is(err, os.ErrNotExist) {
		return process{}, nil
	}
	if err != nil {
		return process{}, fmt.Errorf("read process of %s: %w", d.name, err)
	}
	var p process
	if err := json.Unmarshal(b, &p); err != nil {
		return process{}, fmt.Errorf("read process of %s: %w", d.name, err)
	}
	return p, nil
}

func (d daemon) remember(p process) error { return writeJSON(d.processFile(), p) }

// tail is the end of the daemon's log.
func (d daemon) tail() string {
	b, err := os.ReadFile(d.logFile())
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(b[max(0, len(b)-logTail):]))
}

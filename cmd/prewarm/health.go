package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

// installedConfig is where a package, and the image, have the configuration.
const installedConfig = "/etc/prewarm/prewarm.yaml"

// patienceForReady is shorter than what health checks wait for a program.
const patienceForReady = 3 * time.Second

// readiness is what health says to programs.
type readiness struct {
	Ready   bool    `json:"ready"`
	Address string  `json:"address,omitempty"` // what was asked
	Version string  `json:"version,omitempty"` // of the server
	Seconds float64 `json:"seconds"`           // that the answer took
	Reason  string  `json:"reason,omitempty"`  // why it is not ready
}

func (c *cli) newHealth() *cobra.Command {
	var path string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Tell whether the server on this machine is ready",
		Long: "Asks the server on this machine whether it is ready: its state is open and its API listens. Whether\n" +
			"hosts and registries are reachable is status's business. Where the server listens, and with which\n" +
			"certificate, is read from its configuration, of which mistakes elsewhere don't matter. It needs no\n" +
			"token and no client certificate.\n\n" +
			"Without --config it is prewarm.yaml in this folder, or else " + installedConfig + ".\n\n" +
			"The exit code is 0 when it is ready, and 1 with the reason when it is not.",
		Example: "  prewarm health\n" +
			"  prewarm health --config prewarm.yaml -o json",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if timeout <= 0 {
				return misused(cmd, fmt.Sprintf("--timeout %s: want more than nothing, as in 3s", timeout))
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			found, err := askReady(ctx, path)
			if c.json() {
				return printReadiness(cmd.OutOrStdout(), found, err)
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "ready: prewarm %s at %s\n", found.Version, found.Address)
			return err
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", "", "configuration `file` of the server")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml") // fails only for a flag that isn't there
	cmd.Flags().DurationVar(&timeout, "timeout", patienceForReady, "how `long` the server may take to answer")
	return cmd
}

// printReadiness tells programs; what is not ready ends the program with its code.
func printReadiness(w io.Writer, r readiness, err error) error {
	if err != nil {
		r.Reason = err.Error()
	}
	if printed := printJSON(w, r); printed != nil || r.Ready {
		return printed
	}
	return &codeError{code: exitFailed} // the reason is printed
}

// askReady asks the server that a configuration tells of.
func askReady(ctx context.Context, path string) (readiness, error) {
	path, err := serverConfig(path)
	if err != nil {
		return readiness{}, err
	}
	server, err := config.Listening(path, os.Environ())
	if err != nil {
		return readiness{}, err
	}
	if _, port, err := net.SplitHostPort(server.Listen); err == nil && port == "0" {
		return readiness{}, problem.New(problem.InvalidConfig, "server.listen of "+path+" leaves the port to the system, so nobody knows it", "give it a port")
	}
	probe := api.Probe{Listen: server.Listen}
	if server.TLS != nil {
		probe.Certificate = server.TLS.Cert
	}
	asked := time.Now()
	health, err := probe.Ask(ctx)
	return readiness{Ready: err == nil, Address: probe.Address(), Version: health.Version, Seconds: time.Since(asked).Seconds()}, err
}

// serverConfig is the file that was named, or the nearest that there is.
func serverConfig(named string) (string, error) {
	if named != "" {
		return named, nil
	}
	for _, path := range []string{configFile, installedConfig} {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			return path, nil
		}
	}
	return "", problem.New(problem.InvalidConfig, "there is no "+configFile+" in this folder, and no "+installedConfig, "name the server's configuration with --config")
}

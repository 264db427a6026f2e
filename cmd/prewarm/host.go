package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/app"
	"github.com/prewarm/prewarm/internal/problem"
)

func (c *cli) newHost() *cobra.Command {
	return group(&cobra.Command{
		Use:   "host",
		Short: "Open an engine to Prewarm, or check that it is open to nobody else",
	}, c.newHostEnroll(), c.newHostCheck())
}

// place is where the certificates of enrolled hosts are.
type place struct{ config, dir string }

func (p *place) register(cmd *cobra.Command) {
	configFlag(cmd, &p.config)
	cmd.Flags().StringVar(&p.dir, "dir", "", "`folder` of the certificates (default ca in the configuration's state.path)")
	_ = cmd.MarkFlagDirname("dir") // fails only for a flag that isn't there
}

// load reads the configuration. Where none was named and none is there, it is
// the one without a file: the first host is enrolled before there is any.
func (p *place) load(cmd *cobra.Command) (*config.Config, error) {
	path := p.config
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && !cmd.Flags().Changed("config") {
		path = ""
	}
	return config.Load(path, os.Environ())
}

// folder gives the folder, absolute: it goes into configurations.
func (p *place) folder(cmd *cobra.Command) (string, error) {
	if p.dir != "" {
		return filepath.Abs(p.dir)
	}
	c, err := p.load(cmd)
	if err != nil {
		return "", problem.Wrap(problem.InvalidConfig, err, "find the folder of the certificates", "mend the configuration, or say by --dir where they are")
	}
	return app.CADir(c), nil
}

func (c *cli) newHostCheck() *cobra.Command {
	var at place
	var endpoint string
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "check HOST",
		Short: "Check that an engine's port lets in Prewarm and nobody else",
		Long: "Connects to the engine from this machine, as others would: with Prewarm's certificate, with none,\n" +
			"with that of a stranger, and without TLS, on its own port and on 2375. Nothing is changed there.\n" +
			"The host is that of the configuration; with --endpoint it is one that prewarm host enroll made\n" +
			"certificates for. The exit code is 1 if a check fails.",
		Example: "  prewarm host check etl-1\n" +
			"  prewarm host check etl-1 --endpoint tcp://10.0.0.11:2376 --wait 2m",
		Args: oneHost,
		RunE: func(cmd *cobra.Command, args []string) error {
			var found []app.Finding
			var err error
			if endpoint == "" {
				var loaded *config.Config
				if loaded, err = at.load(cmd); err == nil {
					found, err = app.CheckHost(cmd.Context(), loaded, args[0], wait)
				}
			} else {
				var dir string
				if dir, err = at.folder(cmd); err == nil {
					found, err = app.CheckEnrolled(cmd.Context(), args[0], endpoint, dir, wait)
				}
			}
			if err != nil {
				return err
			}
			return c.printDiagnosis(cmd.OutOrStdout(), diagnose(found))
		},
	}
	at.register(cmd)
	cmd.Flags().StringVar(&endpoint, "endpoint", "", "where the engine is, as `tcp://host:port`; else the configuration says it")
	waitFlag(cmd, &wait)
	return cmd
}

func waitFlag(cmd *cobra.Command, wait *time.Duration) {
	cmd.Flags().DurationVar(wait, "wait", 0, "check again until all is well, for so `long`")
}

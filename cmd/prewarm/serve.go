package main

import (
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/app"
)

const configFile = "prewarm.yaml"

func configFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVarP(path, "config", "c", configFile, "configuration file")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml") // fails only for a flag that isn't there
}

func (c *cli) newServe() *cobra.Command {
	var path, format string
	var level slog.Level
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Watch tags, keep images warm, run tasks, answer the API",
		Args:  usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			// The second signal kills: NotifyContext lets go after the first.
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			logger, err := newLogger(format, level)
			if err != nil {
				return err
			}
			loaded, err := config.Load(path, os.Environ())
			if err != nil {
				return err
			}
			a, err := app.New(ctx, app.Options{Config: loaded, Version: buildVersion(), Logger: logger})
			if err != nil {
				return err
			}
			go func() {
				<-ctx.Done()
				stop()
			}()
			return a.Run(ctx)
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().StringVar(&format, "log-format", "text", "text for people or json for programs; logs go to stderr")
	cmd.Flags().TextVar(&level, "log-level", slog.LevelInfo, "DEBUG, INFO, WARN or ERROR")
	return cmd
}

func newLogger(format string, level slog.Level) (*slog.Logger, error) {
	o := &slog.HandlerOptions{Level: level}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(os.Stderr, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(os.Stderr, o)), nil
	default:
		return nil, &codeError{code: 2, err: fmt.Errorf("--log-format %q: want text or json", format)}
	}
}

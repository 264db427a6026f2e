package main

import (
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/app"
	"github.com/prewarm/prewarm/internal/systemd"
)

const configFile = "prewarm.yaml"

func configFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVarP(path, "config", "c", configFile, "configuration `file`")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml") // fails only for a flag that isn't there
}

func (c *cli) newServe() *cobra.Command {
	var path, format string
	var level slog.Level
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Watch tags, keep images warm, run tasks, answer the API",
		Long: "Runs the server. It works until SIGTERM or SIGINT; a second signal ends it at once. What it does\n" +
			"is logged on stderr.\n\n" +
			"A changed configuration takes effect by itself, or on SIGHUP; one with mistakes is refused, and the\n" +
			"one before stays in force.\n\n" +
			"Under systemd it tells when it is ready, reads its configuration and stops, and that it lives\n" +
			"(NOTIFY_SOCKET, WATCHDOG_USEC).",
		Example: "  prewarm serve --config /etc/prewarm/prewarm.yaml",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// The second signal kills: NotifyContext lets go after the first.
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			logger, err := newLogger(cmd, format, level)
			if err != nil {
				return err
			}
			keepHeapSmall(os.Getenv)
			loaded, err := config.Load(path, os.Environ())
			if err != nil {
				return err
			}
			manager, err := systemd.Find(logger)
			if err != nil {
				return err
			}
			o := app.Options{Config: loaded, Watcher: config.NewWatcher(loaded), Version: buildVersion(), Logger: logger}
			if manager != nil {
				o.Manager = manager
			}
			hangups := make(chan os.Signal, 1)
			signal.Notify(hangups, syscall.SIGHUP) // one that comes during the start is obeyed after it
			a, err := app.New(ctx, o)
			if err != nil {
				return err
			}
			defer reloadOn(hangups, a)()
			// Lines of runs may be forwarded to standard output: whoever reads it and
			// goes away must not end the server.
			signal.Ignore(syscall.SIGPIPE)
			go func() {
				<-ctx.Done()
				stop()
			}()
			return a.Run(ctx)
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().StringVar(&format, "log-format", "text", "`format` of the log on stderr: text for people or json for programs")
	cmd.Flags().TextVar(&level, "log-level", slog.LevelInfo, "lowest `level` that is logged: DEBUG, INFO, WARN or ERROR")
	_ = cmd.RegisterFlagCompletionFunc("log-format", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("log-level", cobra.FixedCompletions([]string{"DEBUG", "INFO", "WARN", "ERROR"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// keepHeapSmall lets the heap grow by half of what lives before it is collected,
// and not by all of it, as is Go's default. What lives is a dozen megabytes, which
// are collected in a few milliseconds: it costs about a hundredth of a core while
// 45 MB of lines are written a second, and spares a sixth of a resting server's
// memory. Whoever sets GOGC has it their way.
func keepHeapSmall(getenv func(string) string) {
	const percent = 50
	if getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// reloadOn reads the configuration again at each hangup, until the function that
// it gives is called.
func reloadOn(hangups chan os.Signal, a *app.App) (stop func()) {
	go func() {
		for range hangups {
			a.Reload()
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(hangups)
	}
}

func newLogger(cmd *cobra.Command, format string, level slog.Level) (*slog.Logger, error) {
	o := &slog.HandlerOptions{Level: level}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), o)), nil
	default:
		return nil, misused(cmd, fmt.Sprintf("--log-format %q: want text or json", format))
	}
}

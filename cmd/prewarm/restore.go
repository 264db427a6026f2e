package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/app"
	"github.com/prewarm/prewarm/internal/backup"
	"github.com/prewarm/prewarm/internal/problem"
)

func (c *cli) newRestore() *cobra.Command {
	var path, folder string
	var force bool
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make a backup the state of a server that is stopped",
		Long: "Makes what prewarm backup wrote the state in state.path of the configuration, or in --state. The\n" +
			"server must be stopped. The whole file is checked before anything is touched, and whatever ends\n" +
			"this on the way, there is the old state or the new one, whole. A state that is there is moved aside\n" +
			"with --force, into a folder beside the new one, and never deleted. - reads from standard input.\n\n" +
			"What happened since the backup is not in it: runs, tokens, revoked tokens, rollbacks. The server\n" +
			"executes nothing until it has looked at every host. Only one server may live on with this state.",
		Example: "  prewarm restore prewarm-2026-11-29.tar --config /etc/prewarm/prewarm.yaml\n" +
			"  prewarm restore prewarm.tar --state /var/lib/prewarm --force",
		Args: oneName("file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if folder != "" && cmd.Flags().Changed("config") {
				return misused(cmd, "--config and --state stand together: use one of them")
			}
			if folder == "" {
				var err error
				if folder, err = config.StateFolder(path, os.Environ()); err != nil {
					return err
				}
			}
			folder, err := filepath.Abs(folder)
			if err != nil {
				return err
			}
			in, err := openBackup(cmd, args[0])
			if err != nil {
				return err
			}
			defer in.Close()
			result, err := app.Restore(cmd.Context(), app.RestoreOptions{Dir: folder, Force: force, From: in})
			if err != nil {
				return err
			}
			return c.printRestored(cmd.OutOrStdout(), args[0], folder, result)
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().StringVar(&folder, "state", "", "`folder` of the state, in place of the configuration's")
	cmd.Flags().BoolVar(&force, "force", false, "move a state that is there aside")
	_ = cmd.MarkFlagDirname("state") // fails only for a flag that isn't there
	return cmd
}

func openBackup(cmd *cobra.Command, name string) (io.ReadCloser, error) {
	if name == standard {
		return io.NopCloser(cmd.InOrStdin()), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, problem.Wrap(problem.InvalidRequest, err, "read the backup", "name a file of prewarm backup that you may read, or - for standard input")
	}
	return f, nil
}

func (c *cli) printRestored(w io.Writer, file, folder string, r backup.Result) error {
	if c.json() {
		return printJSON(w, backupReport{File: file, Head: r.Head, Files: r.Files, Bytes: r.Bytes, State: folder, Aside: r.Aside})
	}
	fmt.Fprintf(w, "%s has the state of %s: %s, %s\n", folder, stamp(&r.Head.Made), count(r.Files, "file"), units.BytesSize(float64(r.Bytes)))
	if r.Aside != "" {
		fmt.Fprintf(w, "what was there is in %s\n", r.Aside)
	}
	_, err := fmt.Fprintln(w, "start the server: it executes nothing until it has looked at every host")
	return err
}

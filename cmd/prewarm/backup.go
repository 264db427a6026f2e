package main

import (
	"context"
	"fmt"
	"io"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/backup"
)

// standard is the file name that means standard output, or input.
const standard = "-"

func (c *cli) newBackup() *cobra.Command {
	var force bool
	cmd := c.remote(&cobra.Command{
		Use:   "backup FILE",
		Short: "Write a backup of the server's state to a file, while the server works",
		Long: "Asks the server for its whole state as it is at one moment: runs, rollouts, pin scopes, tokens, the\n" +
			"audit log, and the logs of runs. Nothing waits for it. FILE has its name only once it is complete,\n" +
			"checked and on disk; - writes to standard output. It needs a token with the scope admin.\n\n" +
			"The file opens doors: whoever has it reads all logs, and can make links to them. prewarm restore\n" +
			"makes it a state again.",
		Example: "  prewarm backup prewarm-2026-11-29.tar\n" +
			"  prewarm backup - | zstd > prewarm.tar.zst",
		Args: oneName("file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == standard {
				return c.backupToStdout(cmd)
			}
			contents, err := backup.Save(args[0], force, func(w io.Writer) (backup.Contents, error) { return c.fetchBackup(cmd.Context(), w) })
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), backupReport{File: args[0], Head: contents.Head, Files: contents.Files, Bytes: contents.Bytes})
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s has the state of %s: %s, %s\n", args[0], stamp(&contents.Head.Made),
				count(contents.Files, "file"), units.BytesSize(float64(contents.Bytes)))
			return err
		},
	})
	cmd.Flags().BoolVar(&force, "force", false, "replace FILE where it exists")
	return cmd
}

// backupReport is what backup and restore say to programs.
type backupReport struct {
	File  string      `json:"file"`
	Head  backup.Head `json:"backup"`
	Files int         `json:"files"`
	Bytes int64       `json:"bytes"`
	State string      `json:"state,omitempty"`
	Aside string      `json:"replaced,omitempty"`
}

func (c *cli) backupToStdout(cmd *cobra.Command) error {
	if isTerminal(cmd.OutOrStdout()) {
		return misused(cmd, "a backup is no text for a terminal: name a file, or send it on with | or >")
	}
	_, err := c.fetchBackup(cmd.Context(), cmd.OutOrStdout())
	return err
}

// fetchBackup writes a backup to w and proves it meanwhile.
func (c *cli) fetchBackup(ctx context.Context, w io.Writer) (backup.Contents, error) {
	r, feed := io.Pipe()
	type proof struct {
		contents backup.Contents
		err      error
	}
	proven := make(chan proof, 1)
	go func() {
		contents, err := backup.Read(r, backup.Visitor{})
		_, _ = io.Copy(io.Discard, r) // the writer must not wait; how it ends is known already
		proven <- proof{contents, err}
	}()
	err := c.client().Backup(ctx, io.MultiWriter(feed, w))
	_ = feed.CloseWithError(err) // a pipe never fails to close
	p := <-proven
	if err == nil {
		err = p.err
	}
	return p.contents, err
}

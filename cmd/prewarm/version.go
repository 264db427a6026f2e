package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
)

// The linker sets these for a release: a version, its commit, and the commit's
// time as in 2027-01-31T12:00:00Z.
var version, commit, date = "", "", ""

// buildVersion is the release, or what the build knows of its commit.
func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

// libraries are those whose version says something about how Prewarm behaves
// towards others.
var libraries = []string{
	"github.com/docker/docker",
	"github.com/google/go-containerregistry",
	"modernc.org/sqlite",
	"github.com/danielgtaylor/huma/v2",
	"github.com/prometheus/client_golang",
	"github.com/robfig/cron/v3",
	"github.com/slack-go/slack",
	"github.com/wneessen/go-mail",
	"golang.org/x/crypto",
}

// built is what version says to programs.
type built struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Date     string `json:"date,omitempty"`     // of the commit
	Modified bool   `json:"modified,omitempty"` // the source had changes since the commit
	Go       string `json:"go"`
	Platform string `json:"platform"`

	Libraries []library `json:"libraries"`
}

type library struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// describeBuild tells what the linker was told, or else what the go command
// wrote down; info may be nil.
func describeBuild(info *debug.BuildInfo) built {
	b := built{
		Version: buildVersion(), Commit: commit, Date: date,
		Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Libraries: []library{},
	}
	if info == nil {
		return b
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = cmp.Or(b.Commit, s.Value)
		case "vcs.time":
			b.Date = cmp.Or(b.Date, s.Value)
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	versions := make(map[string]string, len(info.Deps))
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		versions[m.Path] = m.Version
	}
	for _, name := range libraries {
		if v := versions[name]; v != "" {
			b.Libraries = append(b.Libraries, library{name, v})
		}
	}
	return b
}

func (b built) print(w io.Writer) error {
	_, err := fmt.Fprintf(w, "prewarm %s (%s, %s)\n", b.Version, b.Go, b.Platform)
	if err != nil {
		return err
	}
	if b.Commit != "" {
		since := ""
		if b.Modified {
			since = ", with changes since"
		}
		fmt.Fprintf(w, "commit %s of %s%s\n", b.Commit, cmp.Or(b.Date, "an unknown time"), since)
	}
	if len(b.Libraries) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	t := newTable(w, "LIBRARY", "VERSION")
	for _, l := range b.Libraries {
		t.AppendRow(table.Row{l.Name, l.Version})
	}
	t.Render()
	return nil
}

func (c *cli) newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the version of this program",
		Long: "Shows the version of this program, the commit that it was built from and its time, Go's version,\n" +
			"and those of the libraries by which it speaks to others.",
		Example: "  prewarm version -o json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, _ := debug.ReadBuildInfo() // nil where there is none
			b := describeBuild(info)
			if c.json() {
				return printJSON(cmd.OutOrStdout(), b)
			}
			return b.print(cmd.OutOrStdout())
		},
	}
}

package main

import (
	"fmt"
	"io"
	"os"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/config"
	"github.com/prewarm/prewarm/internal/app"
)

// diagnosis is what doctor says to programs.
type diagnosis struct {
	OK       bool          `json:"ok"` // nothing failed
	Findings []app.Finding `json:"findings"`
}

func (c *cli) newDoctor() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Examine the hosts and registries of a configuration, without a server",
		Long: "Asks every host and registry of the configuration file, and changes nothing there. Of a host: is\n" +
			"it reachable, which engine and image store it has, who can use its port, its clock, its free disk,\n" +
			"and whether the engine itself reaches each registry and accepts its certificate. Of a registry:\n" +
			"does it answer and take the login, can an image be read, how much of a quota is left. Each\n" +
			"finding is ok, warn or fail and says what to do; the exit code is 1 if one of them is fail.",
		Example: "  prewarm doctor --config prewarm.yaml\n" +
			"  prewarm doctor -o json | jq '.findings[] | select(.level != \"ok\")'",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := config.Load(path, os.Environ())
			if err != nil {
				return err
			}
			return c.printDiagnosis(cmd.OutOrStdout(), diagnose(app.Diagnose(cmd.Context(), loaded, buildVersion())))
		},
	}
	configFlag(cmd, &path)
	return cmd
}

func diagnose(findings []app.Finding) diagnosis {
	d := diagnosis{OK: true, Findings: []app.Finding{}}
	for _, f := range findings {
		d.OK = d.OK && f.Level != app.Failure
		d.Findings = append(d.Findings, f)
	}
	return d
}

// printDiagnosis prints what was found; a failure ends the program with its code.
func (c *cli) printDiagnosis(w io.Writer, d diagnosis) (err error) {
	if c.json() {
		err = printJSON(w, d)
	} else {
		d.print(w)
	}
	return d.code(err)
}

// code is the error of a diagnosis that was printed, or not, with err.
func (d diagnosis) code(err error) error {
	if err == nil && !d.OK {
		return &codeError{code: exitFailed} // the findings say why
	}
	return err
}

func (d diagnosis) print(w io.Writer) {
	if len(d.Findings) == 0 {
		fmt.Fprintln(w, "the configuration has no hosts and no registries")
		return
	}
	t := newTable(w, "", "ABOUT", "CHECK", "FINDING")
	counts := make(map[app.Level]int)
	for _, f := range d.Findings {
		counts[f.Level]++
		t.AppendRow(table.Row{f.Level, f.About, f.Check, f.What})
		if f.Mend != "" {
			t.AppendRow(table.Row{"", "", "", "-> " + f.Mend})
		}
	}
	t.Render()
	fmt.Fprintf(w, "\n%d ok, %s, %s\n", counts[app.Good], count(counts[app.Warning], "warning"), count(counts[app.Failure], "failure"))
}

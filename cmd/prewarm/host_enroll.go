package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/app"
)

// defaultDays is how long certificates are good: what systems take that want
// none to be good for longer.
const defaultDays = 825

func (c *cli) newHostEnroll() *cobra.Command {
	var at place
	var o app.EnrollOptions
	var check bool
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "enroll HOST",
		Short: "Make the certificates that open an engine to Prewarm and to nobody else",
		Long: "Makes an authority if there is none yet, a certificate for the engine and one for Prewarm, and\n" +
			"prints what to do on the engine's machine and what to write into the configuration. No server is\n" +
			"needed, nothing is sent anywhere, and no key is printed. Files that are there are never written\n" +
			"over: --renew makes new ones in their place, and keeps the last in the folder old.\n\n" +
			"Each engine trusts an authority of its own, so that Prewarm's key for one host opens no other.\n" +
			"Run it as the user that prewarm serve runs as, which has to read the files.",
		Example: "  prewarm host enroll etl-1 --endpoint tcp://10.0.0.11:2376\n" +
			"  prewarm host enroll etl-1 --endpoint tcp://10.0.0.11:2376 --san etl-1.internal --wait 10m\n" +
			"  prewarm host enroll etl-1 --endpoint tcp://10.0.0.11:2376 --renew",
		Args: oneHost,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			o.Name = args[0]
			check = check || wait > 0
			o.Keep = check
			if o.Dir, err = at.folder(cmd); err != nil {
				return err
			}
			enrolled, err := app.Enroll(o)
			if err != nil {
				return err
			}
			return c.finishEnroll(cmd, enrolled, o, check, wait)
		},
	}
	at.register(cmd)
	cmd.Flags().StringVar(&o.Endpoint, "endpoint", "", "where the engine is to be reached, as `tcp://host:port`")
	cmd.Flags().StringSliceVar(&o.Names, "san", nil, "another `name` or address by which the engine is reached; may be repeated")
	cmd.Flags().IntVar(&o.Days, "days", defaultDays, "how many `days` the certificates are good")
	cmd.Flags().BoolVar(&o.Renew, "renew", false, "make new certificates in place of those that are there")
	cmd.Flags().BoolVar(&check, "check", false, "then check the engine; certificates that are there are used")
	waitFlag(cmd, &wait)
	return cmd
}

// finishEnroll tells what is to be done and, where it is asked for, checks
// whether it was.
func (c *cli) finishEnroll(cmd *cobra.Command, e app.Enrolled, o app.EnrollOptions, check bool, wait time.Duration) error {
	w := cmd.OutOrStdout()
	if !c.json() && e.Made {
		printGuide(w, e, o)
	}
	if !check {
		if c.json() {
			return printJSON(w, e)
		}
		return nil
	}
	if !c.json() && wait > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "checking %s for up to %s\n", e.Endpoint, wait)
	}
	found, err := app.CheckEnrolled(cmd.Context(), e.Name, e.Endpoint, o.Dir, wait)
	if err != nil {
		return err
	}
	d := diagnose(found)
	if !c.json() {
		return c.printDiagnosis(w, d)
	}
	err = printJSON(w, struct {
		app.Enrolled
		diagnosis
	}{e, d})
	return d.code(err)
}

// printGuide says what to do next. It names the files that hold secrets, and has
// nothing of what is in them.
func printGuide(w io.Writer, e app.Enrolled, o app.EnrollOptions) {
	fmt.Fprintf(w, "The certificates of host %s are made. They are for %s, and good until %s.\n\n", e.Name, e.Names, e.Until.UTC().Format(time.DateOnly))
	if o.Renew {
		fmt.Fprintf(w, renewGuide, e.EngineDir, sshHost(e), engineFolder)
	} else {
		fmt.Fprint(w, firstGuide(e))
	}
	fmt.Fprintf(w, "\nThen check it:\n\n  prewarm host check %s --endpoint %s --dir %s --wait 2m\n", e.Name, e.Endpoint, o.Dir)
}

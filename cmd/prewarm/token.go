package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
)

func (c *cli) newToken() *cobra.Command {
	return group(&cobra.Command{
		Use:   "token",
		Short: "Make, list and revoke the tokens by which callers are known",
	}, c.newTokenCreate(), c.newTokenList(), c.newTokenRevoke())
}

// tokenScopes are all there are.
var tokenScopes = []string{"read", "run", "warm", "admin"}

func (c *cli) newTokenCreate() *cobra.Command {
	var r api.TokenRequest
	var expires string
	cmd := c.remote(&cobra.Command{
		Use:   "create NAME --scope SCOPE",
		Short: "Make a token, and print it this once",
		Long: "Makes a token with the scopes read (look), run (submit, follow and cancel runs), warm (check, warm,\n" +
			"hold, approve and roll back images) or admin (all of it, in every namespace). Whoever may run or\n" +
			"warm may read. Runs, keys, pin scopes and logs of another namespace are not there for it.\n\n" +
			"It expires at the beginning of a day in UTC (2027-01-31), at a moment (2027-01-31T12:00:00Z), after\n" +
			"a time (2160h), or never.\n\n" +
			"The first token needs the scope admin: until then everybody on the server's machine may do\n" +
			"everything, and from then on nobody may without a token.",
		Example: "  prewarm token create ada --scope admin\n" +
			"  prewarm token create airflow --scope run --scope warm --namespace etl --expires 2027-01-31\n" +
			"  prewarm token create acme --scope run --image 'acme-*' --meta customer=acme",
		Args: oneName("token"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkScopes(r.Scopes); err != nil {
				return misused(cmd, err.Error())
			}
			in, err := expiresIn(expires, time.Now())
			if err != nil {
				return misused(cmd, err.Error())
			}
			r.Name, r.ExpiresIn = args[0], api.Duration(in)
			made, err := c.client().CreateToken(cmd.Context(), r)
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), made)
			}
			// The token alone is on stdout, so that it can go into a file.
			fmt.Fprintf(cmd.ErrOrStderr(), "token %s: %s in namespace %s, %s; it is shown this once\n", made.Name, strings.Join(made.Scopes, ", "), made.Namespace, expiry(made.Token))
			_, err = fmt.Fprintln(cmd.OutOrStdout(), made.Secret)
			return err
		},
	})
	flags := cmd.Flags()
	flags.StringSliceVar(&r.Scopes, "scope", nil, "what it may do: read, run, warm or admin; may be repeated")
	flags.StringVar(&r.Namespace, "namespace", "", "where its runs, keys and pin scopes are: a `name`; default when left out")
	flags.StringSliceVar(&r.Images, "image", nil, "only images of this name, a `pattern` such as etl-*; may be repeated")
	flags.StringToStringVar(&r.Meta, "meta", nil, "what each of its runs carries, `NAME=value`; may be repeated")
	flags.Lookup("meta").DefValue = "" // help would say "default []"
	flags.StringVar(&expires, "expires", "", "`when` it expires: a day, a moment, or a time from now such as 2160h; never when left out")
	_ = cmd.RegisterFlagCompletionFunc("scope", cobra.FixedCompletions(tokenScopes, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// expiresIn reads when a token expires, as a time from now; 0 for never.
func expiresIn(text string, now time.Time) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	in, err := time.ParseDuration(text)
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, wrong := time.Parse(layout, text); wrong == nil {
			in, err = at.Sub(now), nil
		}
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("--expires %q: want a day such as 2027-01-31, a moment such as 2027-01-31T12:00:00Z, or a time from now such as 2160h", text)
	case in <= 0:
		return 0, fmt.Errorf("--expires %q: that is not in the future", text)
	case in == math.MaxInt64: // what Sub gives for more
		return 0, fmt.Errorf("--expires %q: that is too far away; leave it out for never", text)
	}
	return in, nil
}

func checkScopes(scopes []string) error {
	if len(scopes) == 0 {
		return fmt.Errorf("say what it may do: --scope %s", strings.Join(tokenScopes, ", --scope "))
	}
	for _, s := range scopes {
		if !slices.Contains(tokenScopes, s) {
			return fmt.Errorf("--scope %q: want read, run, warm or admin%s", s, meant(s, tokenScopes))
		}
	}
	return nil
}

func (c *cli) newTokenList() *cobra.Command {
	return c.remote(&cobra.Command{
		Use:   "list",
		Short: "List the tokens: what they may do, and when they were used",
		Long: "Lists the tokens of the configuration, then those that were made here, revoked ones included. Of a\n" +
			"token only a hash is kept: one that is lost is revoked, and another one made.",
		Example: "  prewarm token list",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := c.client().Tokens(cmd.Context())
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), all)
			}
			printTokens(cmd.OutOrStdout(), all.Tokens)
			return nil
		},
	})
}

func printTokens(w io.Writer, all []api.Token) {
	if len(all) == 0 {
		fmt.Fprintln(w, "no tokens: everybody on the server's machine may do everything; prewarm token create NAME --scope admin ends that")
		return
	}
	t := newTable(w, "TOKEN", "SCOPES", "NAMESPACE", "IMAGES", "CREATED", "BY", "USED", "STATE")
	for _, k := range all {
		by := k.By
		if k.Configured {
			by = "(configuration)"
		}
		t.AppendRow(table.Row{
			k.Name, strings.Join(k.Scopes, ", "), k.Namespace, cmp.Or(strings.Join(k.Images, ", "), "all"),
			stamp(k.CreatedAt), known(plain(by)), minute(k.UsedAt), expiry(k),
		})
	}
	t.Render()
}

// minute is a moment that is known to the minute only.
func minute(at *time.Time) string { return strings.TrimSuffix(stamp(at), ":00") }

// expiry says how long a token is good.
func expiry(t api.Token) string {
	switch {
	case t.RevokedAt != nil:
		return "revoked " + stamp(t.RevokedAt)
	case t.ExpiresAt == nil:
		return "never expires"
	case t.ExpiresAt.Before(time.Now()):
		return "expired " + stamp(t.ExpiresAt)
	}
	return "expires " + stamp(t.ExpiresAt)
}

func (c *cli) newTokenRevoke() *cobra.Command {
	return c.remote(&cobra.Command{
		Use:   "revoke NAME|ID",
		Short: "Take a token back: it opens nothing from now on",
		Long: "Revokes a token. Logs and events that its holder follows at this moment are cut off within seconds.\n" +
			"The last token of the scope admin stays: make another one first. Those of the configuration are\n" +
			"taken out there.",
		Example: "  prewarm token revoke airflow",
		Args:    oneName("token"),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := c.client().RevokeToken(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), t)
			}
			if t.Already {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "token %s was revoked already, at %s\n", t.Name, stamp(t.RevokedAt))
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "token %s is revoked\n", t.Name)
			return err
		},
	})
}

// oneName wants one argument, the name of something.
func oneName(of string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch len(args) {
		case 1:
			return nil
		case 0:
			return misused(cmd, "name the "+of+": "+cmd.UseLine())
		default:
			return misused(cmd, fmt.Sprintf("%s takes one %s, and got %q too", cmd.CommandPath(), of, args[1]))
		}
	}
}

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/textproto"
	"os"
	"regexp"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/prewarm/prewarm/internal/api"
)

func (c *cli) newWebhook() *cobra.Command {
	return group(&cobra.Command{Use: "webhook", Short: "Try what a webhook makes of a delivery"}, c.newWebhookTest())
}

func (c *cli) newWebhookTest() *cobra.Command {
	var payload string
	cmd := c.remote(&cobra.Command{
		Use:   "test NAME --payload FILE",
		Short: "Say what the server would make of a delivery, and deliver nothing",
		Long: "Asks the server what it would make of a delivery to a webhook: whether it would be let in, which\n" +
			"pushes it tells of, which images would be looked at, and why none. Nothing is looked at.\n\n" +
			"The file is a body, or a whole request as a sender sent it: the request line, headers, a blank line\n" +
			"and the body. Only then it is asked who sent it; a signature that tells its time may be too old.\n\n" +
			"It ends with 1 where the delivery would be refused, or would lead to no look.",
		Example: "  prewarm webhook test ci --payload push.json\n" +
			"  prewarm webhook test ci --payload push.http",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return misused(cmd, "name one webhook: "+cmd.CommandPath()+" NAME --payload FILE; prewarm webhooks lists them")
			}
			return nil
		},
		ValidArgsFunction: c.completeWebhook,
		RunE: func(cmd *cobra.Command, args []string) error {
			if payload == "" {
				return misused(cmd, "say what is delivered: --payload FILE, or - for stdin")
			}
			request, err := readPayload(cmd.InOrStdin(), payload)
			if err != nil {
				return err
			}
			found, err := c.client().TestWebhook(cmd.Context(), args[0], request)
			if err != nil {
				return err
			}
			if c.json() {
				err = printJSON(cmd.OutOrStdout(), found)
			} else {
				printWebhookTest(cmd.OutOrStdout(), found)
			}
			if err == nil && !leads(found) {
				return &codeError{code: exitFailed} // the answer says why
			}
			return err
		},
	})
	cmd.Flags().StringVar(&payload, "payload", "", "`file` with the delivery; - means stdin")
	_ = cmd.MarkFlagFilename("payload") // fails only for a flag that isn't there
	return cmd
}

func readPayload(stdin io.Reader, path string) (api.WebhookTestRequest, error) {
	read := func() ([]byte, error) { return os.ReadFile(path) }
	if path == "-" {
		read = func() ([]byte, error) { return io.ReadAll(stdin) }
	}
	b, err := read()
	if err != nil {
		return api.WebhookTestRequest{}, fmt.Errorf("read the delivery: %w", err)
	}
	return parsePayload(b)
}

var requestLine = regexp.MustCompile(`^[A-Z]+ \S+ HTTP/[0-9.]+\r?\n`)

// parsePayload reads a body, or a request with its headers.
func parsePayload(b []byte) (api.WebhookTestRequest, error) {
	line := requestLine.Find(b)
	if line == nil {
		return api.WebhookTestRequest{Body: string(b)}, nil
	}
	rest := bufio.NewReader(bytes.NewReader(b[len(line):]))
	header, err := textproto.NewReader(rest).ReadMIMEHeader()
	if err != nil {
		return api.WebhookTestRequest{}, fmt.Errorf("read the headers of the delivery: %w", err)
	}
	body, err := io.ReadAll(rest)
	if err != nil {
		return api.WebhookTestRequest{}, fmt.Errorf("read the body of the delivery: %w", err)
	}
	r := api.WebhookTestRequest{Headers: make(map[string]string, len(header)), Body: string(body)}
	for name, values := range header {
		r.Headers[name] = strings.Join(values, ", ")
	}
	return r, nil
}

// leads tells whether a delivery would lead to a look.
func leads(t api.WebhookTest) bool {
	for _, e := range t.Events {
		if len(e.Images) > 0 {
			return t.Denied == "" && t.Wrong == ""
		}
	}
	return false
}

func printWebhookTest(w io.Writer, t api.WebhookTest) {
	switch t.Proof {
	case "good":
		fmt.Fprintln(w, "who sent it: proven by the headers")
	case "bad":
		fmt.Fprintf(w, "who sent it: refused: %s\n", plain(t.Denied))
	default:
		fmt.Fprintln(w, "who sent it: not asked")
	}
	if t.Wrong != "" {
		fmt.Fprintf(w, "the body: %s\n", plain(t.Wrong))
		return
	}
	if len(t.Events) == 0 {
		fmt.Fprintln(w, "it tells of no push")
		return
	}
	rows := newTable(w, "PUSHED", "DIGEST", "LOOKED AT")
	for _, e := range t.Events {
		looks := strings.Join(e.Images, ", ")
		if looks == "" {
			looks = "nothing: " + plain(e.Why)
		}
		rows.AppendRow(table.Row{plain(pushed(e)), known(shortDigest(plain(e.Digest))), looks})
	}
	rows.Render()
}

// pushed is what an event says was pushed.
func pushed(e api.TestEvent) string {
	text := e.Path
	if e.Registry != "" {
		text = e.Registry + "/" + text
	}
	if e.Below {
		text += "/**"
	}
	if e.Tag != "" {
		text += ":" + e.Tag
	}
	return text
}

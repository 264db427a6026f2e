package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/prewarm/prewarm/internal/app"
	"github.com/prewarm/prewarm/internal/problem"
)

// initFlags are the answers that need no question.
type initFlags struct {
	file, state, listen string
	certificates        string
	images, hosts       []string
	airflow, yes        bool
}

func (c *cli) newInit() *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a first configuration, with a token for Airflow",
		Long: "Looks for an engine on this machine, asks what no flag says, and writes a configuration with every\n" +
			"line explained, a token for Airflow and one for you, each in a file beside it. It prints Airflow's\n" +
			"connection, with its token in it, and what to do next. Without a terminal, and with --yes, it asks\n" +
			"nothing: the image has to be said then, and the engine is the one that was found.\n\n" +
			"Files that are there are never written over. What is written is proven as config check does it;\n" +
			"all of it is put in place, or nothing. Of logins for registries only where they are is looked at:\n" +
			"Prewarm uses those of Docker's command line, of the user that runs prewarm serve.",
		Example: "  prewarm init\n" +
			"  prewarm init --yes --image registry.example.com/etl/node-jobs\n" +
			"  prewarm init --yes -c /etc/prewarm/prewarm.yaml --image jobs=node:22 --host local=unix:///run/user/1000/docker.sock\n" +
			"  prewarm init --yes --image jobs=node:22 --host etl-1=tcp://10.0.0.11:2376 --tls certs",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			done, err := f.begin(cmd)
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), done)
			}
			done.print(cmd.OutOrStdout())
			return nil
		},
	}
	configFlag(cmd, &f.file)
	flags := cmd.Flags()
	flags.StringArrayVar(&f.images, "image", nil, "an image to keep warm: `REF`, or NAME=REF to choose its name; may be repeated")
	flags.StringArrayVar(&f.hosts, "host", nil, "an engine: `NAME=ENDPOINT`; may be repeated; the one that is found when left out")
	flags.StringVar(&f.certificates, "tls", "",
		"`folder` of the certificates for engines behind tcp: that of prewarm host enroll, or Docker's with ca.pem, cert.pem and key.pem; $DOCKER_CERT_PATH when left out")
	flags.StringVar(&f.state, "state", "", "`folder` of what must not be forgotten; /var/lib/prewarm for root, else ~/.local/state/prewarm")
	flags.StringVar(&f.listen, "listen", "", "`address` where the API listens; "+standardListen+" when left out")
	flags.BoolVar(&f.airflow, "airflow", true, "make the token for Airflow, and so one for you; --airflow=false: no tokens, everybody on this machine may do everything")
	flags.BoolVarP(&f.yes, "yes", "y", false, "ask nothing")
	return cmd
}

// begin does all of init but telling of it.
func (f *initFlags) begin(cmd *cobra.Command) (begun, error) {
	folder, name := filepath.Split(f.file)
	if name == "" {
		return begun{}, misused(cmd, fmt.Sprintf("--config %q: that is no file", f.file))
	}
	tokens, err := f.tokens(name)
	if err != nil {
		return begun{}, err
	}
	done := begun{Config: f.file, Tokens: map[string]string{}, Logins: map[string]string{}}
	for _, t := range tokens {
		done.Tokens[t.Name] = filepath.Join(folder, t.File)
	}
	if err := f.clear(done); err != nil {
		return begun{}, err
	}
	done.Engines = app.FindEngines(cmd.Context(), os.Getenv)
	if done.plan, err = f.answers(cmd, done.Engines); err != nil {
		return begun{}, err
	}
	done.plan.Tokens = tokens
	done.look(cmd.Context())
	if err := f.write(cmd.Context(), folder, name, done.plan); err != nil {
		return begun{}, err
	}
	done.Next = nextCommands(done.plan, f.file)
	for _, t := range tokens {
		if t.Scope == "run" {
			done.Connection, err = connectionOf(done.plan.Listen, t.Secret)
		}
	}
	return done, err
}

// clear refuses files that are there, before anything is asked.
func (f *initFlags) clear(done begun) error {
	paths := []string{f.file}
	for _, path := range done.Tokens {
		paths = append(paths, path)
	}
	slices.Sort(paths[1:])
	return notThere(paths...)
}

// tokens makes them. As soon as there is one, nobody gets in without: so there
// are two.
func (f *initFlags) tokens(config string) ([]firstToken, error) {
	if !f.airflow {
		return nil, nil
	}
	stem := strings.TrimSuffix(config, filepath.Ext(config))
	tokens := []firstToken{
		{Name: "admin", Scope: "admin", Why: "Yours: it may do everything."},
		{Name: "airflow", Scope: "run", Why: "Airflow's: it may submit, follow and cancel runs. The scope warm beside run lets a DAG refresh images."},
	}
	for i := range tokens {
		secret, err := app.NewSecret()
		if err != nil {
			return nil, err
		}
		tokens[i].Secret, tokens[i].File = secret, stem+"-"+tokens[i].Name+".token"
	}
	return tokens, nil
}

// answers takes the flags, and asks for what they leave open where it may.
func (f *initFlags) answers(cmd *cobra.Command, found []app.FoundEngine) (p firstPlan, err error) {
	p.Certificates = cmp.Or(f.certificates, os.Getenv("DOCKER_CERT_PATH"))
	for _, given := range []struct {
		texts []string
		take  func(string) error
	}{{f.images, p.image}, {f.hosts, p.host}, {nonEmpty(f.listen), p.listen}} {
		for _, text := range given.texts {
			if err := given.take(text); err != nil {
				return p, err
			}
		}
	}
	if err := p.state(f.state); err != nil {
		return p, err
	}
	engine := standardEngine(found)
	if !f.yes && term.IsTerminal(int(os.Stdin.Fd())) {
		return p, p.ask(&interview{in: bufio.NewReader(os.Stdin), out: cmd.ErrOrStderr()}, engine, found)
	}
	if len(p.Images) == 0 {
		return p, misused(cmd, "say which image to keep warm: --image REF")
	}
	if len(p.Hosts) == 0 && engine == "" {
		return p, noEngine(found)
	}
	if len(p.Hosts) == 0 {
		err = p.host("local=" + engine)
	}
	if err == nil && p.Listen == "" {
		err = p.listen(standardListen)
	}
	return p, err
}

func nonEmpty(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}

// ask asks for what is still open.
func (p *firstPlan) ask(a *interview, engine string, found []app.FoundEngine) error {
	if len(p.Images) == 0 {
		if err := a.ask("Image to keep warm, as in node:22 or registry.example.com/etl/jobs", "", p.image); err != nil {
			return err
		}
	}
	if len(p.Hosts) == 0 {
		if engine == "" {
			printError(a.out, noEngine(found))
		}
		if err := a.ask("Engine to keep it on", engine, p.host); err != nil {
			return err
		}
	}
	if p.Listen == "" {
		return a.ask("Address that Prewarm listens on", standardListen, p.listen)
	}
	return nil
}

// standardEngine is the first that answered.
func standardEngine(found []app.FoundEngine) string {
	for _, e := range found {
		if e.Why == "" {
			return e.Endpoint
		}
	}
	return ""
}

func noEngine(found []app.FoundEngine) error {
	var tried []string
	for _, e := range found {
		tried = append(tried, fmt.Sprintf("%s: %s", e.From, e.Why))
	}
	return problem.New(problem.HostUnreachable, "no engine was found on this machine: "+strings.Join(tried, "; "),
		"start one, or name it: --host local=unix:///path/to/docker.sock")
}

// look finds out what the plan has to say of its registries.
func (b *begun) look(ctx context.Context) {
	for i := range b.plan.Images {
		image := &b.plan.Images[i]
		image.Login = app.FindCredentials(os.Getenv, image.Registry)
		if _, known := b.Logins[image.Registry]; !known && app.PlainRegistry(ctx, image.Registry) {
			b.plan.Plain = append(b.plan.Plain, image.Registry)
		}
		b.Logins[image.Registry] = image.Login
	}
}

// write puts the files in place. A signal that comes meanwhile leaves nothing.
func (f *initFlags) write(ctx context.Context, folder, name string, plan firstPlan) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	text, err := plan.render()
	if err != nil {
		return err
	}
	var files []firstFile
	for _, t := range plan.Tokens {
		files = append(files, firstFile{name: t.File, mode: 0o600, text: []byte(t.Secret + "\n")})
	}
	files = append(files, firstFile{name: name, mode: 0o644, text: text})
	if folder == "" {
		folder = "."
	}
	err = putAll(ctx, folder, files)
	if errors.Is(err, context.Canceled) {
		return &codeError{code: exitSignal + int(syscall.SIGINT), err: errors.New("stopped by a signal; nothing is written")}
	}
	return err
}

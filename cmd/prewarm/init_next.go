package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/prewarm/prewarm/internal/app"
)

// begun is what init did, and what comes next.
type begun struct {
	Config  string            `json:"config"`
	Tokens  map[string]string `json:"tokens"` // files by who holds the token
	Engines []app.FoundEngine `json:"engines"`
	Logins  map[string]string `json:"logins"` // by registry: where its login comes from, or ""
	// Connection is Airflow's, with its token in it; nil where none was wanted.
	Connection json.RawMessage `json:"airflow_connection,omitempty"`
	Next       []string        `json:"next"` // commands
	plan       firstPlan
}

// connectionOf is the connection by which Airflow finds the server, on one line.
func connectionOf(listen, token string) (json.RawMessage, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		Type     string `json:"conn_type"`
		Host     string `json:"host"`
		Port     int    `json:"port"`
		Schema   string `json:"schema"`
		Password string `json:"password"`
	}{"prewarm", host, number, "http", token})
}

// nextCommands are what to do now, each complete, so that it works where it is
// pasted.
func nextCommands(plan firstPlan, file string) []string {
	program := shellWord(os.Args[0])
	serve := program + " serve"
	if file != configFile {
		serve += " --config " + shellWord(file)
	}
	var access string
	if plan.Listen != standardListen {
		access += " --server " + shellWord("http://"+plan.Listen)
	}
	for _, t := range plan.Tokens {
		if t.Scope == "admin" {
			access += " --token-file " + shellWord(filepath.Join(filepath.Dir(file), t.File))
		}
	}
	image := plan.Images[0].Name
	return []string{serve, program + " warm " + image + access, program + " run" + access + " " + image}
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,-]+$`)

// shellWord quotes what a shell would take apart.
func shellWord(text string) string {
	if plainWord.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

func (b begun) print(w io.Writer) {
	p := b.plan
	fmt.Fprintf(w, "%s is written: %s, %s.\n", b.Config, count(len(p.Hosts), "host"), count(len(p.Images), "image"))
	for _, t := range p.Tokens {
		fmt.Fprintf(w, "%s is written: %s\n", b.Tokens[t.Name], t.Why)
	}
	for _, i := range p.Images {
		if i.Login == "" {
			fmt.Fprintf(w, "No login for %s was found: what is pulled from there has to be open to all, or run docker login %s.\n", i.Registry, i.Registry)
		} else {
			fmt.Fprintf(w, "The login for %s comes from %s.\n", i.Registry, i.Login)
		}
	}
	if b.Connection != nil {
		text := shellWord(string(b.Connection))
		fmt.Fprint(w, "\nThe connection for an Airflow on this machine, with its token in it; take one of the two:\n\n")
		fmt.Fprintf(w, "  export %s=%s\n  airflow connections add prewarm_default --conn-json %s\n", connectionVariable, text, text)
	}
	fmt.Fprintf(w, "\nNext, the first of these in a terminal of its own:\n\n  %s\n", strings.Join(b.Next, "\n  "))
	for _, t := range p.Tokens {
		if t.Scope == "admin" {
			path, err := filepath.Abs(b.Tokens[t.Name])
			if err != nil {
				path = b.Tokens[t.Name]
			}
			fmt.Fprintf(w, "\nexport PREWARM_TOKEN_FILE=%s saves the --token-file.\n", shellWord(path))
		}
	}
}

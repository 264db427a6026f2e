package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

func TestConnectionsOfAirflow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want airflowConnection
	}{
		"JSON": {
			`{"conn_type":"prewarm","host":"https://prewarm.example","port":8470,"password":"pw_x","extra":{"ca_cert":"/ca","client_cert":"/c","client_key":"/k"}}`,
			airflowConnection{url: "https://prewarm.example:8470", token: "pw_x", ca: "/ca", cert: "/c", key: "/k"},
		},
		"JSON, extra as a text": {
			`{"conn_type":"http","host":"h","port":"1","schema":"https","password":"p","extra":"{\"ca_cert\":\"/ca\"}"}`,
			airflowConnection{url: "https://h:1", token: "p", ca: "/ca"},
		},
		"JSON, little":         {`{"host":"127.0.0.1"}`, airflowConnection{url: "http://127.0.0.1"}},
		"a path":               {`{"host":"https://h/prewarm","port":8443}`, airflowConnection{url: "https://h:8443/prewarm"}},
		"a URI":                {`prewarm://:pw%2Fx%40@h:8470/https?ca_cert=%2Fca`, airflowConnection{url: "https://h:8470", token: "pw/x@", ca: "/ca"}},
		"a type of https":      {`https://u:p@h:8470`, airflowConnection{url: "https://h:8470", token: "p"}},
		"extra in a URI":       {`http://:p@h/?__extra__=%7B%22ca_cert%22%3A+%22%2Fca%22%7D`, airflowConnection{url: "http://h", token: "p", ca: "/ca"}},
		"as Airflow writes":    {`prewarm://https://:t@host%3A8470`, airflowConnection{url: "https://host:8470", token: "t"}},
		"a host with a scheme": {`http://:t@https%3A%2F%2Fhost:8470/`, airflowConnection{url: "https://host:8470", token: "t"}},
		"IPv6":                 {`{"host":"::1","port":8470}`, airflowConnection{url: "http://[::1]:8470"}},
		"another scheme":       {`{"host":"ftp://h"}`, airflowConnection{}},
		"another schema":       {`{"host":"h","schema":"htps"}`, airflowConnection{}},
		"no port":              {`{"host":"h:port"}`, airflowConnection{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseConnection(c.text)
			if c.want == (airflowConnection{}) {
				if err == nil {
					t.Errorf("%+v", got)
				}
				return
			}
			if err != nil || got != c.want {
				t.Errorf("%+v %v, want %+v", got, err, c.want)
			}
		})
	}
	for _, text := range []string{"hunter2", `{"password":"hunter2"`, `{"password":"hunter2"}`, "prewarm://:hunter2@%zz", "prewarm://hunter2:%zz@h", `{"host":"u:hunter2@h"}`} {
		if _, err := parseConnection(text); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// connection is what a command line and an environment lead to.
type connection struct{ URL, Token string }

func TestWhoCallsWhichServer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("pw_file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	airflow := connectionVariable + `={"host":"https://airflow.example","password":"pw_airflow"}`
	for name, c := range map[string]struct {
		env  []string
		args []string
		want connection
	}{
		"nothing":                     {nil, nil, connection{defaultServer, ""}},
		"a token":                     {[]string{"PREWARM_TOKEN=pw_env"}, nil, connection{defaultServer, "pw_env"}},
		"a file":                      {[]string{"PREWARM_TOKEN_FILE=" + file}, nil, connection{defaultServer, "pw_file"}},
		"a flag before both":          {[]string{"PREWARM_TOKEN=pw_env", "PREWARM_TOKEN_FILE=/nowhere"}, []string{"--token-file", file}, connection{defaultServer, "pw_file"}},
		"a token before a file":       {[]string{"PREWARM_TOKEN=pw_env", "PREWARM_TOKEN_FILE=/nowhere"}, nil, connection{defaultServer, "pw_env"}},
		"a connection":                {[]string{airflow}, nil, connection{"https://airflow.example", "pw_airflow"}},
		"a connection, another token": {[]string{airflow, "PREWARM_TOKEN=pw_env"}, nil, connection{"https://airflow.example", "pw_env"}},
		// The connection's password is for its own host.
		"another server": {[]string{airflow}, []string{"--server", "https://other.example"}, connection{"https://other.example", ""}},
		"PREWARM_URL":    {[]string{airflow, "PREWARM_URL=https://env.example"}, nil, connection{"https://env.example", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, name := range []string{"PREWARM_URL", "PREWARM_TOKEN", "PREWARM_TOKEN_FILE", connectionVariable} {
				t.Setenv(name, "")
			}
			for _, v := range c.env {
				name, value, _ := strings.Cut(v, "=")
				t.Setenv(name, value)
			}
			got, err := connectBy(t, c.args...)
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func connectBy(t *testing.T, args ...string) (connection, error) {
	t.Helper()
	c := &cli{}
	flags := pflag.NewFlagSet("prewarm", pflag.ContinueOnError)
	c.access.declare(flags, &c.server)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	client, err := c.connect()
	if err != nil {
		return connection{}, err
	}
	return connection{client.URL, client.Token}, nil
}

// What may be a secret is not repeated.
func TestWhatIsNoTokenIsNotRepeated(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PREWARM_URL", "")
	t.Setenv(connectionVariable, "")
	t.Setenv("PREWARM_TOKEN_FILE", "")
	for _, token := range []string{"hunter2\nhunter2", "hunter2 x", "hünter2"} {
		t.Setenv("PREWARM_TOKEN", token)
		if _, err := connectBy(t); err == nil || strings.Contains(err.Error(), "nter2") {
			t.Errorf("%q: %v", token, err)
		}
	}
	t.Setenv("PREWARM_TOKEN", "")
	for _, args := range [][]string{{"--server", "http://u:hunter2@h"}, {"--server", "u:hunter2@h:8470"}, {"--server", "http://u:hunter2%zz@h"}, {"--token-file", empty}, {"--token-file", "/nowhere"}} {
		if _, err := connectBy(t, args...); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", args, err)
		}
	}
}

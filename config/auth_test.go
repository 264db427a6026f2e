package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// fullAuth is what testdata/full.yaml says of callers.
func fullAuth(folder string) Auth {
	return Auth{
		Tokens: []Token{
			{
				Name: "airflow", Value: "hunter2-hunter2-hunter2", TokenFile: filepath.Join(folder, "secrets/token"), Expires: time.Date(2127, 1, 31, 0, 0, 0, 0, time.UTC),
				Grant: Grant{
					Scopes: []string{"run"}, Namespace: "etl", Images: []string{"node-*", "plain"}, Meta: map[string]string{"customer": "acme", "cost-centre": "0012"},
					Policy: &Policy{BindMounts: []string{"/srv/data/**"}, Networks: []string{"bridge"}, CapAdd: []string{"SYS_PTRACE"}},
				},
			},
			{
				Name: "ci", Value: "hunter2-hunter2-before!", TokenFile: filepath.Join(folder, "secrets/previous"), Expires: time.Date(2127, 1, 31, 10, 30, 0, 0, time.UTC),
				Grant: Grant{Scopes: []string{"read", "warm"}, Namespace: "default", Policy: &Policy{}},
			},
		},
		Certificates: []Certificate{{Name: "Deploy Bot", Grant: Grant{Scopes: []string{"admin"}, Namespace: "default"}}},
	}
}

// A token in the configuration itself is shown nowhere, and what is shown in its
// place is not taken for one.
func TestWrittenTokensAreNotShown(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, write(t, `
auth: {tokens: [{name: a, token: hunter2-hunter2-hunter2, scopes: [run]}]}
webhooks: [{name: a, kind: github, secret: hunter2-hunter2-2, previous_secret: hunter2-hunter2-1, repositories: [acme/*]}]
`))
	if got := c.Auth.Tokens[0].Value.Reveal(); got != "hunter2-hunter2-hunter2" {
		t.Errorf("token = %q", got)
	}
	secrets := c.Webhooks[0].Secrets
	if len(secrets) != 2 || secrets[0].Reveal() != "hunter2-hunter2-2" || secrets[1].Reveal() != "hunter2-hunter2-1" {
		t.Errorf("%d secrets, or others", len(secrets))
	}
	redacted, err := c.Redacted()
	if err != nil {
		t.Fatal(err)
	}
	if told := fmt.Sprintf("%+v %#v", c.Auth, c.Webhooks) + string(redacted); strings.Contains(told, "hunter2") {
		t.Errorf("a secret is told: %s", told)
	}
	var fields []string
	for _, m := range refused(t, write(t, string(redacted)), nil) {
		fields = append(fields, m.Field)
	}
	if want := []string{"auth.tokens[0].token", "webhooks[0].secret", "webhooks[0].previous_secret", "webhooks[0].previous_secret"}; !slices.Equal(fields, want) {
		t.Errorf("what is shown is refused for %q, want %q", fields, want)
	}
}

func TestExpires(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		"2027-01-31":                "2027-01-31",
		"2027-01-31T00:00:00Z":      "2027-01-31",
		"2027-01-31T02:00:00+02:00": "2027-01-31",
		"2027-01-31T12:00:00.5Z":    "2027-01-31T12:00:00.5Z",
		"2020-01-31":                "2020-01-31", // it ended, and the server starts all the same
		"2027-02-30":                "",
		"2027-1-31":                 "",
		"2027-01-31 12:00":          "",
		"9999-12-31T23:30:00-01:00": "",
		"never":                     "",
		"":                          "",
	} {
		r := newReader("", "")
		r.at["expires"] = position{}
		if got := expiresText(r.expires("expires", written)); got != want || (want == "") != (len(r.found) == 1) {
			t.Errorf("%q is read as %q, want %q (%v)", written, got, want, r.found)
		}
	}
}

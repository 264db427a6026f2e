package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry/webhook"
)

func TestAuthenticatePayloads(t *testing.T) {
	t.Parallel()
	for name, p := range payloads {
		if p.secret == "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := delivery(t, name)
			for _, secrets := range [][]string{{p.secret}, {"another", p.secret}, {p.secret, "another"}} {
				if err := webhook.Authenticate(p.kind, secrets, d); err != nil {
					t.Errorf("%q: %v", secrets, err)
				}
			}
			for _, secrets := range [][]string{nil, {""}, {"another"}, {"another", p.secret + "x"}, {p.secret[1:], ""}} {
				if err := webhook.Authenticate(p.kind, secrets, d); problem.CodeOf(err) != problem.WebhookDenied {
					t.Errorf("%q: got %v, want it refused", secrets, err)
				}
			}
		})
	}
}

func TestATamperedBodyIsRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"documented/generic-ci.http", "documented/ghcr-package.http", "documented/gitea-package.http", "documented/gitlab-pipeline.http"} {
		d, secret := delivery(t, name), payloads[name].secret
		if d.Header.Get("Webhook-Signature") != "" {
			d.Header.Del("X-Gitlab-Token") // which does not cover the body
			secret = signingKey
		}
		if err := webhook.Authenticate(payloads[name].kind, []string{secret}, d); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		d.Body[len(d.Body)-2] ^= 1
		if err := webhook.Authenticate(payloads[name].kind, []string{secret}, d); problem.CodeOf(err) != problem.WebhookDenied {
			t.Errorf("%s: a tampered body gives %v", name, err)
		}
	}
}

func TestASignatureIsGoodForFiveMinutes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file, without, secret, header string
	}{
		{"documented/generic-ci.http", "", "s3cret", "X-Prewarm-Timestamp"},
		{"documented/gitlab-pipeline.http", "X-Gitlab-Token", signingKey, "Webhook-Timestamp"},
	} {
		d, kind := delivery(t, c.file), payloads[c.file].kind
		d.Header.Del(c.without)
		signed := time.Unix(signingTime, 0)
		for off, want := range map[time.Duration]string{
			0:                           "",
			5 * time.Minute:             "",
			-5 * time.Minute:            "",
			5*time.Minute + time.Second: " is 6 min behind this machine's clock, and 5 are allowed",
			-12 * time.Minute:           " is 12 min ahead of this machine's clock, and 5 are allowed",
			365 * 24 * time.Hour:        " is 525600 min behind this machine's clock, and 5 are allowed",
			-1 << 63:                    " is 153722868 min ahead", // the shortest there is
		} {
			d.At = signed.Add(off)
			err := webhook.Authenticate(kind, []string{c.secret}, d)
			switch {
			case want == "" && err != nil:
				t.Errorf("%s, %v: %v", c.file, off, err)
			case want != "" && (problem.CodeOf(err) != problem.WebhookDenied || !strings.Contains(err.Error(), c.header+want)):
				t.Errorf("%s, %v: got %v, want …%s", c.file, off, err, c.header+want)
			}
		}
	}
}

func TestATimeThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	for _, sent := range []string{"soon", "1790000000.0", "99999999999999999999", "-9223372036854775808", "9223372036854775807"} {
		d := signedByCI("s3cret", "1", sent, `{"image":"x"}`)
		if err := webhook.Authenticate(webhook.Generic, []string{"s3cret"}, d); problem.CodeOf(err) != problem.WebhookDenied {
			t.Errorf("%s: %v", sent, err)
		}
	}
}

// signedByCI is a delivery signed as docs/webhooks.md says, at signingTime.
func signedByCI(secret, id, seconds, body string) webhook.Delivery {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(id + "." + seconds + "." + body))
	return webhook.Delivery{
		Header: http.Header{"X-Prewarm-Id": {id}, "X-Prewarm-Timestamp": {seconds}, "X-Prewarm-Signature": {"v1=" + hex.EncodeToString(h.Sum(nil))}},
		Body:   []byte(body), At: time.Unix(signingTime, 0),
	}
}

func standardWebhook(key []byte, signatures ...string) webhook.Delivery {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("msg_1.1790000000.{}"))
	value := strings.Join(append(signatures, "v1,"+base64.StdEncoding.EncodeToString(h.Sum(nil))), " ")
	return webhook.Delivery{
		Header: http.Header{"Webhook-Id": {"msg_1"}, "Webhook-Timestamp": {"1790000000"}, "Webhook-Signature": {value}},
		Body:   []byte("{}"), At: time.Unix(signingTime, 0),
	}
}

func TestStandardWebhooks(t *testing.T) {
	t.Parallel()
	k := []byte(strings.Repeat("k", 32))
	for name, c := range map[string]struct {
		d       webhook.Delivery
		secrets []string
		ok      bool
	}{
		"a key in base64":                     {standardWebhook(k), []string{signingKey}, true},
		"a key as it is":                      {standardWebhook(k), []string{string(k)}, true},
		"a key that only looks like base64":   {standardWebhook([]byte("whsec_!")), []string{"whsec_!"}, true},
		"another signature before":            {standardWebhook(k, "v1,bm9uZQ=="), []string{signingKey}, true},
		"an asymmetric one before":            {standardWebhook(k, "v1a,bm9uZQ=="), []string{signingKey}, true},
		"another key":                         {standardWebhook([]byte("other")), []string{signingKey}, false},
		"a secret without a key":              {standardWebhook(nil), []string{"whsec_"}, false},
		"no secret":                           {standardWebhook(nil), []string{""}, false},
		"the text of the key":                 {standardWebhook([]byte(signingKey)), []string{signingKey}, false},
		"a signature of nothing we know of":   {webhook.Delivery{Header: http.Header{"Webhook-Id": {"1"}, "Webhook-Timestamp": {"1"}, "Webhook-Signature": {"v2,YQ=="}}}, []string{signingKey}, false},
		"a signature without what it signs":   {webhook.Delivery{Header: http.Header{"Webhook-Signature": {"v1,YQ=="}}}, []string{signingKey}, false},
		"a signature that is an empty base64": {webhook.Delivery{Header: http.Header{"Webhook-Id": {"1"}, "Webhook-Timestamp": {"1"}, "Webhook-Signature": {"v1,"}}}, []string{signingKey}, false},
	} {
		for _, kind := range []webhook.Kind{webhook.Generic, webhook.GitLab} {
			if err := webhook.Authenticate(kind, c.secrets, c.d); (err == nil) != c.ok {
				t.Errorf("%s, %s: %v", name, kind, err)
			}
		}
	}
}

func TestAuthorization(t *testing.T) {
	t.Parallel()
	basic := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	for value, ok := range map[string]bool{
		"s3cret": true, "Bearer s3cret": true, "bearer  s3cret": true, basic("prewarm:s3cret"): true, basic(":s3cret"): true,
		"": false, "Bearer": false, "Bearer ": false, "Bearer s3cre": false, "Bearer s3cret2": false, "Token s3cret": false,
		basic("s3cret"): false, basic("s3cret:"): false, basic("prewarm:s3cret2"): false, "Basic s3cret": false, "Basic": false,
	} {
		for _, kind := range []webhook.Kind{webhook.Generic, webhook.Distribution, webhook.Harbor, webhook.ACR, webhook.Zot} {
			d := webhook.Delivery{Header: http.Header{"Authorization": {value}}}
			if err := webhook.Authenticate(kind, []string{"", "s3cret"}, d); (err == nil) != ok {
				t.Errorf("%s, %q: %v", kind, value, err)
			}
		}
		for _, kind := range []webhook.Kind{webhook.GitHub, webhook.GitLab, webhook.Gitea, webhook.DockerHub, webhook.Quay} {
			if err := webhook.Authenticate(kind, []string{"s3cret"}, webhook.Delivery{Header: http.Header{"Authorization": {value}}}); err == nil {
				t.Errorf("%s takes %q", kind, value)
			}
		}
	}
}

func TestSignaturesOfAnotherShapeAreRefused(t *testing.T) {
	t.Parallel()
	good := func(name, header string) string { return delivery(t, name).Header.Get(header) }
	hub, gitea, own := good("documented/ghcr-package.http", "X-Hub-Signature-256"), good("documented/gitea-package.http", "X-Gitea-Signature"), good("documented/generic-ci.http", "X-Prewarm-Signature")
	for _, c := range []struct{ file, header, value string }{
		{"documented/ghcr-package.http", "X-Hub-Signature-256", strings.TrimPrefix(hub, "sha256=")},
		{"documented/ghcr-package.http", "X-Hub-Signature-256", "sha1=" + strings.TrimPrefix(hub, "sha256=")},
		{"documented/ghcr-package.http", "X-Hub-Signature-256", hub[:len(hub)-2]},
		{"documented/ghcr-package.http", "X-Hub-Signature-256", "sha256="},
		{"documented/gitea-package.http", "X-Gitea-Signature", "sha256=" + gitea},
		{"documented/generic-ci.http", "X-Prewarm-Signature", strings.TrimPrefix(own, "v1=")},
		{"documented/generic-ci.http", "X-Prewarm-Signature", "v2=" + strings.TrimPrefix(own, "v1=")},
		{"documented/generic-ci.http", "X-Prewarm-Id", "another"},
		{"documented/generic-ci.http", "X-Prewarm-Timestamp", "1790000001"},
	} {
		d := delivery(t, c.file)
		d.Header.Set(c.header, c.value)
		if c.header == "X-Gitea-Signature" {
			d.Header.Del("X-Hub-Signature-256")
		}
		if err := webhook.Authenticate(payloads[c.file].kind, []string{"s3cret"}, d); problem.CodeOf(err) != problem.WebhookDenied {
			t.Errorf("%s with %s: %s gives %v", c.file, c.header, c.value, err)
		}
	}
}

// What is refused is told without the secret and without what was sent.
func TestRefusalsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	unsigned := signedByCI("s3cret", "1", "1790000000", "{}")
	unsigned.Header.Del("X-Prewarm-Id")
	for want, c := range map[string]struct {
		kind webhook.Kind
		d    webhook.Delivery
	}{
		"authenticate a delivery of kind quay: its sender can't show that it knows a secret":                                    {webhook.Quay, webhook.Delivery{}},
		"authenticate a delivery of kind github: it has no header X-Hub-Signature-256":                                          {webhook.GitHub, webhook.Delivery{}},
		"authenticate a delivery of kind generic: it has no header X-Prewarm-Signature, Webhook-Signature or Authorization":     {webhook.Generic, webhook.Delivery{}},
		"authenticate a delivery of kind generic: it has no header X-Prewarm-Id":                                                {webhook.Generic, unsigned},
		"authenticate a delivery of kind generic: the signature in X-Prewarm-Signature does not match":                          {webhook.Generic, signedByCI("g3heim", "1", "1790000000", "{}")},
		"authenticate a delivery of kind acr: the secret in Authorization does not match":                                       {webhook.ACR, webhook.Delivery{Header: http.Header{"Authorization": {"Bearer g3heim"}}}},
		"authenticate a delivery of kind gitlab: the token in X-Gitlab-Token does not match":                                    {webhook.GitLab, webhook.Delivery{Header: http.Header{"X-Gitlab-Token": {"g3heim"}}}},
		"authenticate a delivery of kind generic: X-Prewarm-Timestamp is not a number of seconds since 1970":                    {webhook.Generic, signedByCI("s3cret", "1", "g3heim", "{}")},
		"authenticate a delivery of kind generic: X-Prewarm-Timestamp is 30 min behind this machine's clock, and 5 are allowed": {webhook.Generic, signedByCI("s3cret", "1", "1789998200", "{}")},
		"authenticate a delivery of kind nothing we know: its sender can't show that it knows a secret":                         {"nothing we know", webhook.Delivery{}},
		"authenticate a delivery of kind gitea: it has no header X-Gitea-Signature or X-Hub-Signature-256":                      {webhook.Gitea, webhook.Delivery{Body: []byte("g3heim")}},
		"authenticate a delivery of kind gitlab: it has no header Webhook-Signature or X-Gitlab-Token":                          {webhook.GitLab, webhook.Delivery{Header: http.Header{"Authorization": {"s3cret"}}}},
		"authenticate a delivery of kind dockerhub: its sender can't show that it knows a secret":                               {webhook.DockerHub, webhook.Delivery{Header: http.Header{"Authorization": {"s3cret"}}}},
		"authenticate a delivery of kind distribution: the secret in Authorization does not match":                              {webhook.Distribution, webhook.Delivery{Header: http.Header{"Authorization": {"Basic g3heim"}}}},
		"authenticate a delivery of kind github: the signature in X-Hub-Signature-256 does not match":                           {webhook.GitHub, webhook.Delivery{Header: http.Header{"X-Hub-Signature-256": {"g3heim"}}}},
		"authenticate a delivery of kind gitea: the signature in X-Gitea-Signature does not match":                              {webhook.Gitea, webhook.Delivery{Header: http.Header{"X-Gitea-Signature": {"g3heim"}}}},
		"authenticate a delivery of kind harbor: it has no header Authorization":                                                {webhook.Harbor, webhook.Delivery{}},
		"authenticate a delivery of kind zot: it has no header Authorization":                                                   {webhook.Zot, webhook.Delivery{}},
		"authenticate a delivery of kind gitlab: it has no header Webhook-Id":                                                   {webhook.GitLab, webhook.Delivery{Header: http.Header{"Webhook-Signature": {"g3heim"}}}},
		"authenticate a delivery of kind gitlab: the signature in Webhook-Signature does not match":                             {webhook.GitLab, standardWebhook([]byte("g3heim"))},
	} {
		c.d.At = time.Unix(signingTime, 0)
		err := webhook.Authenticate(c.kind, []string{"s3cret"}, c.d)
		p := problem.From(err)
		if err == nil || err.Error() != want || p.Code != problem.WebhookDenied || p.Mend == "" {
			t.Errorf("got  %v (%s, mend %q)\nwant %s", err, p.Code, p.Mend, want)
		}
		if text := err.Error() + p.Mend; strings.Contains(text, "s3cret") || strings.Contains(text, "g3heim") {
			t.Errorf("a secret is told: %s", text)
		}
	}
}

func TestSigns(t *testing.T) {
	t.Parallel()
	for _, kind := range webhook.Kinds() {
		if want := kind != webhook.DockerHub && kind != webhook.Quay; kind.Signs() != want {
			t.Errorf("%s: got %t", kind, kind.Signs())
		}
	}
	if webhook.Kind("").Signs() {
		t.Error("no kind signs")
	}
}

func TestKindsAreThoseOfThePayloads(t *testing.T) {
	t.Parallel()
	seen := map[webhook.Kind]bool{}
	for _, p := range payloads {
		seen[p.kind] = true
	}
	if got, want := slices.Sorted(slices.Values(webhook.Kinds())), slices.Sorted(maps.Keys(seen)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSamePath(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		accepted []string
		got      string
		want     bool
	}{
		{[]string{"a-long-secret"}, "a-long-secret", true},
		{[]string{"new", "old"}, "old", true},
		{[]string{"new", "old"}, "new", true},
		{[]string{"new"}, "ne", false},
		{[]string{"new"}, "", false},
		{[]string{""}, "", false},
		{nil, "", false},
		{nil, "x", false},
	} {
		if got := webhook.SamePath(c.accepted, c.got); got != c.want {
			t.Errorf("%q of %q: got %t", c.got, c.accepted, got)
		}
	}
}

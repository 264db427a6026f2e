package webhook_test

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/registry/webhook"
)

// headersThatCount are those that a decoder or a proof reads.
var headersThatCount = []string{
	"Authorization", "Ce-Type", "Content-Type", "X-Gitea-Event", "X-Gitea-Signature", "X-Github-Event", "X-Gitlab-Token", "X-Hub-Signature-256",
	"X-Prewarm-Id", "X-Prewarm-Signature", "X-Prewarm-Timestamp", "Webhook-Id", "Webhook-Signature", "Webhook-Timestamp",
}

// seed adds each payload, with its headers in one text.
func seed(f *testing.F, add func(p payload, headers string, body []byte)) {
	for name, p := range payloads {
		d := delivery(f, name)
		var lines []string
		for _, h := range headersThatCount {
			lines = append(lines, d.Header.Get(h))
		}
		add(p, strings.Join(lines, "\n"), d.Body)
	}
}

func headersOf(text string) http.Header {
	h := http.Header{}
	for i, value := range strings.Split(text, "\n") {
		if i < len(headersThatCount) && value != "" {
			h.Set(headersThatCount[i], value)
		}
	}
	return h
}

func byteOf(kind webhook.Kind) byte { return byte(slices.Index(webhook.Kinds(), kind)) }

func kindOf(b byte) webhook.Kind { return webhook.Kinds()[int(b)%len(webhook.Kinds())] }

// Whatever is sent, and whatever the mapping is, events are images that there
// can be, and what is refused names no event.
func FuzzDecode(f *testing.F) {
	seed(f, func(p payload, headers string, body []byte) {
		image, repository, tag := "", "", ""
		if p.fields != nil {
			image, repository, tag = p.fields.Image, p.fields.Repository, p.fields.Tag
		}
		f.Add(byteOf(p.kind), image, repository, tag, headers, body)
	})
	f.Add(byteOf(webhook.Generic), "", "e[].r", "e[].t[]", "", []byte(`{"e":[{"r":"a","t":["1","2"]}]}`))
	f.Add(byteOf(webhook.Generic), "{h}/x/{p.r}:{t}", "", "", "", []byte(`{"h":"registry.test","p":"{\"r\":\"a\"}","t":1}`))
	f.Fuzz(func(t *testing.T, kind byte, image, repository, tag, headers string, body []byte) {
		d := webhook.Delivery{Header: headersOf(headers), Body: body}
		for _, fields := range []*webhook.Fields{nil, {Image: image, Repository: repository, Tag: tag, Registry: tag, Digest: image, ID: tag}} {
			events, err := webhook.Decode(kindOf(kind), fields, d)
			switch {
			case err != nil && events != nil:
				t.Fatalf("%v comes with %v", err, events)
			case err != nil && problem.CodeOf(err) != problem.WebhookBody:
				t.Fatalf("%v has the code %s", err, problem.CodeOf(err))
			case err != nil && len(err.Error()) > 4096+8*(len(image)+len(repository)+len(tag)):
				t.Fatalf("an error of %d bytes: %.300s", len(err.Error()), err)
			case len(events) > 1000:
				t.Fatalf("%d events", len(events))
			}
			ids := map[string]bool{}
			for _, e := range events {
				possible(t, e)
				if e.ID != "" && ids[e.ID] {
					t.Fatalf("two events are %q", e.ID)
				}
				ids[e.ID] = true
			}
		}
	})
}

// possible fails where there can be no such image.
func possible(t *testing.T, e webhook.Event) {
	t.Helper()
	host := e.Registry
	if host == "" {
		host = "registry.test"
	} else if !strings.ContainsAny(host, ".:") && host != "localhost" {
		host += ":80"
	}
	repo, err := registry.ParseRepository(host + "/" + e.Path)
	if err != nil || repo.Host() != host || repo.Path() != e.Path {
		t.Fatalf("%+v: its repository is %s, %v", e, repo, err)
	}
	if e.Tag != "" {
		if _, err := registry.NewRef(repo, e.Tag); err != nil || strings.HasPrefix(e.Tag, "sha256-") {
			t.Fatalf("%+v: %v", e, err)
		}
	}
	if e.Digest != "" {
		if _, err := registry.ParseDigest(string(e.Digest)); err != nil {
			t.Fatalf("%+v: %v", e, err)
		}
	}
}

// Nothing is let in by somebody who does not know the secret.
func FuzzAuthenticate(f *testing.F) {
	secret := rand.Text()
	seed(f, func(p payload, headers string, body []byte) { f.Add(byteOf(p.kind), headers, body, int64(signingTime)) })
	f.Fuzz(func(t *testing.T, kind byte, headers string, body []byte, at int64) {
		d := webhook.Delivery{Header: headersOf(headers), Body: body, At: time.Unix(at, 0)}
		for _, secrets := range [][]string{{secret}, {secret, rand.Text()}, {"", secret}, {""}, nil} {
			err := webhook.Authenticate(kindOf(kind), secrets, d)
			if problem.CodeOf(err) != problem.WebhookDenied {
				t.Fatalf("%q: got %v, want it refused", secrets, err)
			}
			if strings.Contains(err.Error(), secret) {
				t.Fatalf("the secret is told: %v", err)
			}
		}
	})
}

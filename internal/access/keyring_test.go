package access_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prewarm/prewarm/internal/access"
	"github.com/prewarm/prewarm/internal/problem"
)

// memory is a store that forgets.
type memory struct {
	mu     sync.Mutex
	tokens []access.Token
	used   map[string]time.Time
	err    error
}

func (m *memory) Tokens(context.Context) ([]access.Token, error) { return m.tokens, m.err }

func (m *memory) InsertToken(_ context.Context, t access.Token) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		m.tokens = append(m.tokens, t)
	}
	return m.err
}

func (m *memory) RevokeToken(_ context.Context, id string, at time.Time) error {
	for i := range m.tokens {
		if m.tokens[i].ID == id && m.err == nil {
			m.tokens[i].Revoked = at
		}
	}
	return m.err
}

func (m *memory) UsedTokens(_ context.Context, at map[string]time.Time) error {
	if m.err == nil {
		m.used = at
	}
	return m.err
}

func keyring(t testing.TB, m *memory, s access.Setup) *access.Keyring {
	t.Helper()
	k, err := access.NewKeyring(context.Background(), m, s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var (
	admin = access.Grant{Scopes: []access.Scope{access.Admin}}
	runs  = access.Grant{Scopes: []access.Scope{access.Run}}
)

func create(t testing.TB, k *access.Keyring, name string, g access.Grant) string {
	t.Helper()
	plain, _, err := k.Create(context.Background(), access.Caller{Name: "root"}, name, g, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func expect(t testing.TB, err error, code problem.Code) {
	t.Helper()
	if problem.CodeOf(err) != code {
		t.Errorf("want %q, got %v", code, err)
	}
}

func TestATokenIsKnownUntilItIsRevokedOrExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		k := keyring(t, m, access.Setup{})
		create(t, k, "root", admin)
		plain, made, err := k.Create(context.Background(), access.Caller{Name: "root"}, "ci", runs, time.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(plain, "pw_") || len(plain) < 20 || made.By != "root" || made.Namespace != access.DefaultNamespace {
			t.Errorf("%q %+v", plain, made)
		}
		for _, life := range []*access.Keyring{k, keyring(t, m, access.Setup{})} {
			c, err := life.ByToken(plain, time.Now())
			if err != nil || c.Name != "ci" || c.Anonymous || !c.May(access.Run) || c.May(access.Admin) {
				t.Errorf("%+v %v", c, err)
			}
			_, err = life.ByToken(plain+"x", time.Now())
			expect(t, err, problem.Unauthenticated)
			_, err = life.ByToken("", time.Now())
			expect(t, err, problem.Unauthenticated)
			_, err = life.ByToken(plain, time.Now().Add(time.Hour))
			expect(t, err, problem.Unauthenticated)
		}
		if _, err := k.Revoke(context.Background(), "ci"); err != nil {
			t.Fatal(err)
		}
		_, err = k.ByToken(plain, time.Now())
		expect(t, err, problem.Unauthenticated)
		_, err = keyring(t, m, access.Setup{}).ByToken(plain, time.Now())
		expect(t, err, problem.Unauthenticated)
	})
}

// Time that passes, and a token that is taken back, must not let everybody in.
func TestTheDoorStaysClosed(t *testing.T) {
	t.Parallel()
	m := &memory{}
	k := keyring(t, m, access.Setup{})
	if !k.Open() {
		t.Error("closed, and nobody has a key")
	}
	create(t, k, "first", admin)
	create(t, k, "second", admin)
	if _, err := k.Revoke(context.Background(), "first"); err != nil {
		t.Fatal(err)
	}
	m.tokens[1].Expires = time.Now().Add(-time.Hour)
	if k.Open() || keyring(t, m, access.Setup{}).Open() {
		t.Error("open again")
	}
	for name, s := range map[string]access.Setup{
		"a token":       {Tokens: []access.Token{{Name: "a", Hash: access.HashOf("a")}}},
		"a certificate": {Certificates: []access.Caller{{Name: "a"}}},
	} {
		if k := keyring(t, &memory{}, s); k.Open() {
			t.Error("open beside", name)
		}
		k := keyring(t, &memory{}, access.Setup{})
		k.Reconfigure(s)
		k.Reconfigure(access.Setup{})
		if k.Open() || !k.Empty() {
			t.Error("a reload opened the door: it took away", name)
		}
	}
}

func TestTheFirstTokenIsAnAdmins(t *testing.T) {
	t.Parallel()
	k := keyring(t, &memory{}, access.Setup{})
	_, _, err := k.Create(context.Background(), access.Anonymous(), "ci", runs, time.Time{})
	expect(t, err, problem.TokenRefused)
	if !k.Open() {
		t.Error("a token that was refused closed the door")
	}
	if _, _, err := k.Create(context.Background(), access.Anonymous(), "root", admin, time.Time{}); err != nil {
		t.Fatal(err)
	}
	_, _, err = k.Create(context.Background(), access.Anonymous(), "late", admin, time.Time{})
	expect(t, err, problem.Unauthenticated)
	create(t, k, "ci", runs)
	_, err = k.Revoke(context.Background(), "root")
	expect(t, err, problem.TokenRefused)
	create(t, k, "root2", admin)
	first, err := k.Revoke(context.Background(), "root")
	if err != nil {
		t.Error(err)
	}
	if again, err := k.Revoke(context.Background(), "root"); err != nil || again.ID != first.ID || !again.Revoked.Equal(first.Revoked) {
		t.Errorf("%+v %v", again, err)
	}
	if _, err = k.Revoke(context.Background(), "nobody"); problem.CodeOf(err) != problem.TokenNotFound {
		t.Error(err)
	}
}

func TestTokensThatCantBe(t *testing.T) {
	t.Parallel()
	k := keyring(t, &memory{}, access.Setup{
		Tokens:       []access.Token{{Name: "root", Hash: access.HashOf("root"), Grant: admin}},
		Certificates: []access.Caller{{Name: "etl.example"}},
	})
	create(t, k, "ci", runs)
	limited := admin
	limited.Images = []string{"etl-*"}
	for why, c := range map[string]struct {
		name    string
		grant   access.Grant
		expires time.Time
	}{
		"no name":             {"", runs, time.Time{}},
		"a blank":             {"a b", runs, time.Time{}},
		"a line feed":         {"a\n", runs, time.Time{}},
		"no scope":            {"x", access.Grant{}, time.Time{}},
		"another scope":       {"x", access.Grant{Scopes: []access.Scope{"root"}}, time.Time{}},
		"a namespace":         {"x", access.Grant{Scopes: runs.Scopes, Namespace: "a/b"}, time.Time{}},
		"a pattern":           {"x", access.Grant{Scopes: runs.Scopes, Images: []string{"[a"}}, time.Time{}},
		"a limited admin":     {"x", limited, time.Time{}},
		"the past":            {"x", runs, time.Now().Add(-time.Second)},
		"a name of another":   {"ci", runs, time.Time{}},
		"a configured one":    {"root", runs, time.Time{}},
		"that of certificate": {"etl.example", runs, time.Time{}},
	} {
		if _, _, err := k.Create(context.Background(), access.Caller{Name: "root"}, c.name, c.grant, c.expires); problem.CodeOf(err) != problem.TokenRefused {
			t.Errorf("%s: %v", why, err)
		}
	}
	if _, err := k.Revoke(context.Background(), "root"); problem.CodeOf(err) != problem.TokenRefused {
		t.Error("a token of the configuration was revoked here:", err)
	}
}

func TestAReloadExchangesWhatItBrought(t *testing.T) {
	t.Parallel()
	same := access.Token{Name: "same", Hash: access.HashOf("same"), Grant: runs}
	k := keyring(t, &memory{}, access.Setup{
		Tokens:       []access.Token{{Name: "old", Hash: access.HashOf("old"), Grant: admin}, same},
		Certificates: []access.Caller{{Name: "old.example", Grant: runs}},
	})
	made := create(t, k, "made", runs)
	for _, plain := range []string{"old", "same", made} {
		if _, err := k.ByToken(plain, time.Now()); err != nil {
			t.Errorf("%s: %v", plain, err)
		}
	}
	if c, err := k.ByCertificate("old.example"); err != nil || c.Namespace != access.DefaultNamespace {
		t.Errorf("%+v %v", c, err)
	}
	k.Reconfigure(access.Setup{Tokens: []access.Token{same}})
	for _, plain := range []string{"same", made} {
		if _, err := k.ByToken(plain, time.Now()); err != nil {
			t.Errorf("%s: %v", plain, err)
		}
	}
	_, err := k.ByToken("old", time.Now())
	expect(t, err, problem.Unauthenticated)
	_, err = k.ByCertificate("old.example")
	expect(t, err, problem.Unauthenticated)
	if all := k.Tokens(); len(all) != 2 || all[0].Name != "same" || all[0].Used.IsZero() || all[1].Name != "made" {
		t.Errorf("%+v", all)
	}
}

func TestUseIsNotedToTheMinute(t *testing.T) {
	t.Parallel()
	m := &memory{}
	k := keyring(t, m, access.Setup{})
	plain := create(t, k, "root", admin)
	at := time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC)
	for _, s := range []time.Duration{10, 20, 50} {
		if _, err := k.ByToken(plain, at.Add(s*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	m.err = errors.New("the disk is gone")
	if err := k.Flush(context.Background()); err == nil {
		t.Error("written where nothing can be")
	}
	m.err = nil
	if err := k.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	id := k.Tokens()[0].ID
	if !m.used[id].Equal(at) || !k.Tokens()[0].Used.Equal(at) {
		t.Errorf("%v", m.used)
	}
	m.used = nil
	if err := k.Flush(context.Background()); err != nil || m.used != nil {
		t.Errorf("written again: %v %v", m.used, err)
	}
}

func TestWhatACallerMay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		scopes []access.Scope
		may    string
	}{
		{nil, ""},
		{[]access.Scope{access.Read}, "read"},
		{[]access.Scope{access.Run}, "read run"},
		{[]access.Scope{access.Warm}, "read warm"},
		{[]access.Scope{access.Admin}, "read run warm admin"},
	} {
		var may []string
		for _, s := range access.Scopes {
			if (access.Caller{Grant: access.Grant{Scopes: c.scopes}}).May(s) {
				may = append(may, string(s))
			}
		}
		if got := strings.Join(may, " "); got != c.may {
			t.Errorf("%v may %q, want %q", c.scopes, got, c.may)
		}
	}
	limited := access.Caller{Grant: access.Grant{Scopes: runs.Scopes, Namespace: "etl", Images: []string{"etl-*", "jobs"}}}
	for image, want := range map[string]bool{"etl-a": true, "jobs": true, "jobs2": false, "": false, "x-etl-a": false} {
		if limited.MayUse(image) != want {
			t.Errorf("%q: %t", image, !want)
		}
	}
	if !limited.Sees("etl") || limited.Sees("default") || (access.Caller{}).Sees("") {
		t.Error("namespaces are not kept apart")
	}
}

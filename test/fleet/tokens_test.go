package fleet

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func someTokens(t *testing.T, life time.Duration) *tokens {
	t.Helper()
	tk, err := newTokens(anAuthority(t), t.TempDir(), "10.3.4.1:5001", RegistryOptions{
		Accounts: map[string]string{"ci": "secret"}, Tokens: life,
	})
	if err != nil {
		t.Fatal(err)
	}
	return tk
}

func TestTokensAreForAccounts(t *testing.T) {
	t.Parallel()
	tk := someTokens(t, time.Minute)
	get := func(user, password string) *http.Request {
		r := httptest.NewRequest(http.MethodGet, tokenPath+"?service=x&scope=repository:etl/jobs:pull", http.NoBody)
		if user != "" {
			r.SetBasicAuth(user, password)
		}
		return r
	}
	post := httptest.NewRequest(http.MethodPost, tokenPath, strings.NewReader(url.Values{
		"grant_type": {"password"}, "username": {"ci"}, "password": {"secret"}, "scope": {"repository:etl/jobs:pull"},
	}.Encode()))
	post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, tc := range map[string]struct {
		r    *http.Request
		want int
	}{
		"an account":        {get("ci", "secret"), http.StatusOK},
		"a wrong password":  {get("ci", "Secret"), http.StatusUnauthorized},
		"an unknown user":   {get("cd", "secret"), http.StatusUnauthorized},
		"nobody":            {get("", ""), http.StatusUnauthorized},
		"an account's form": {post, http.StatusOK},
	} {
		w := httptest.NewRecorder()
		tk.ServeHTTP(w, tc.r)
		if w.Code != tc.want {
			t.Errorf("%s: %d, want %d", name, w.Code, tc.want)
		}
		if w.Code == http.StatusOK {
			checkToken(t, tk, w)
		}
	}
}

// checkToken reads a token as a registry does.
func checkToken(t *testing.T, tk *tokens, w *httptest.ResponseRecorder) {
	t.Helper()
	var answer struct {
		Token   string `json:"token"`
		Expires int    `json:"expires_in"`
	}
	if err := json.NewDecoder(w.Body).Decode(&answer); err != nil || answer.Expires != 60 {
		t.Errorf("expires in %d s, %v", answer.Expires, err)
	}
	parts := strings.Split(answer.Token, ".")
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || len(signature) != 64 {
		t.Fatalf("a signature of %d bytes, %v", len(signature), err)
	}
	hash := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	number := func(b []byte) *big.Int { return new(big.Int).SetBytes(b) }
	if !ecdsa.Verify(&tk.key.PublicKey, hash[:], number(signature[:32]), number(signature[32:])) {
		t.Error("the signature is wrong")
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Audience string   `json:"aud"`
		Access   []access `json:"access"`
	}
	if err := json.Unmarshal(body, &c); err != nil {
		t.Fatal(err)
	}
	want := []access{{Type: "repository", Name: "etl/jobs", Actions: []string{"pull"}}}
	if diff := cmp.Diff(want, c.Access); diff != "" || c.Audience != tk.service {
		t.Errorf("for %s: %s", c.Audience, diff)
	}
}

func TestParseScopes(t *testing.T) {
	t.Parallel()
	got := parseScopes([]string{"repository:host:5000/a:pull,push registry:catalog:*", "nonsense", ""})
	want := []access{
		{Type: "repository", Name: "host:5000/a", Actions: []string{"pull", "push"}},
		{Type: "registry", Name: "catalog", Actions: []string{"*"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestExpiredTokensAreDropped(t *testing.T) {
	t.Parallel()
	tk := someTokens(t, time.Minute)
	signed := func(life time.Duration) string {
		s, err := tk.sign(claims(tk.service, "ci", nil, time.Now(), life))
		if err != nil {
			t.Fatal(err)
		}
		return "Bearer " + s
	}
	for value, kept := range map[string]bool{
		signed(time.Minute):  true,
		signed(-time.Second): false,
		"Bearer nonsense":    true, // the registry's to refuse
		"Bearer a.!.c":       true,
		"Basic x":            true,
	} {
		h := http.Header{"Authorization": {value}}
		tk.dropExpired(h)
		if got := h.Get("Authorization") != ""; got != kept {
			t.Errorf("%.20s: kept %v, want %v", value, got, kept)
		}
	}
}

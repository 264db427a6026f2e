package fleet

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	// tokenPath is where a registry's gate gives tokens.
	tokenPath   = "/token"
	tokenIssuer = "prewarm-fleet"
)

// tokens is a token server as registries use it: for an account it gives a
// signed token, for whatever was asked. The registry checks the signature and
// what the token is for.
type tokens struct {
	service  string
	accounts map[string]string
	key      *ecdsa.PrivateKey
	chain    []string // the certificate of key, in base64, for the registry to check

	mu   sync.Mutex // serves life
	life time.Duration
}

// newTokens makes a server whose signatures the authority vouches for.
func newTokens(a authority, dir, service string, o RegistryOptions) (*tokens, error) {
	certFile, keyFile := filepath.Join(dir, "token.pem"), filepath.Join(dir, "token-key.pem")
	signer := request{name: tokenIssuer, usage: x509.ExtKeyUsageClientAuth, life: certificateLife}
	if err := a.issue(certFile, keyFile, signer); err != nil {
		return nil, err
	}
	cert, err := readCertificate(certFile)
	if err != nil {
		return nil, err
	}
	key, err := readKey(keyFile)
	if err != nil {
		return nil, err
	}
	return &tokens{
		service:  service,
		accounts: o.Accounts,
		key:      key,
		chain:    []string{base64.StdEncoding.EncodeToString(cert.Raw)},
		life:     o.Tokens,
	}, nil
}

func (t *tokens) setLife(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.life = d
}

// ServeHTTP answers both ways to ask: GET with the account in the header, and
// POST with it in a form, as OAuth has it and containerd tries first.
func (t *tokens) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	user, password, ok := r.BasicAuth()
	if !ok {
		user, password = r.PostFormValue("username"), r.PostFormValue("password")
	}
	if want, known := t.accounts[user]; !known || password != want {
		http.Error(w, "no such account", http.StatusUnauthorized)
		return
	}
	t.mu.Lock()
	life := t.life
	t.mu.Unlock()
	signed, err := t.sign(claims(t.service, user, r.Form["scope"], time.Now(), life))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{ // a client that is gone needs no token
		"token": signed, "access_token": signed, "expires_in": int(life.Seconds()),
	})
}

// access is what a token is good for.
type access struct {
	Type    string   `json:"type"`
	Name    string   `json:"name"`
	Actions []string `json:"actions"`
}

func claims(service, user string, scopes []string, now time.Time, life time.Duration) map[string]any {
	return map[string]any{
		"iss": tokenIssuer, "sub": user, "aud": service,
		"nbf": now.Unix(), "iat": now.Unix(), "exp": now.Add(life).Unix(),
		"jti": newID(), "access": parseScopes(scopes),
	}
}

// parseScopes reads scopes like "repository:etl/jobs:pull,push", of which one
// parameter may hold several.
func parseScopes(scopes []string) []access {
	found := []access{}
	for _, scope := range strings.Fields(strings.Join(scopes, " ")) {
		kind, rest, _ := strings.Cut(scope, ":")
		if i := strings.LastIndex(rest, ":"); i >= 0 {
			found = append(found, access{Type: kind, Name: rest[:i], Actions: strings.Split(rest[i+1:], ",")})
		}
	}
	return found
}

// sign makes a JSON Web Token with ES256: the signature is the two numbers one
// after the other, not ASN.1.
func (t *tokens) sign(claims map[string]any) (string, error) {
	var parts []string
	for _, v := range []map[string]any{{"typ": "JWT", "alg": "ES256", "x5c": t.chain}, claims} {
		b, err := json.Marshal(v)
		if err != nil {
			return "", fmt.Errorf("sign token: %w", err)
		}
		parts = append(parts, base64.RawURLEncoding.EncodeToString(b))
	}
	hash := sha256.Sum256([]byte(strings.Join(parts, ".")))
	r, s, err := ecdsa.Sign(rand.Reader, t.key, hash[:])
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return strings.Join(append(parts, base64.RawURLEncoding.EncodeToString(signature)), "."), nil
}

// dropExpired takes a token away that has expired, so that the registry asks
// for another: by itself it would let one pass for a further minute, and no
// test could wait for that.
func (t *tokens) dropExpired(h http.Header) {
	signed, ok := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
	if ok && expired(signed, time.Now()) {
		h.Del("Authorization")
	}
}

func expired(signed string, now time.Time) bool {
	parts := strings.Split(signed, ".")
	if len(parts) != 3 {
		return false // the registry says what it is
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return false
	}
	var c struct {
		Expires int64 `json:"exp"`
	}
	return json.Unmarshal(b, &c) == nil && now.Unix() >= c.Expires
}

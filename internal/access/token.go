package access

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/prewarm/prewarm/internal/problem"
)

// prefix begins every token that is made here, so that one which leaks is known
// for what it is.
const prefix = "pw_"

// NewToken makes a token. Its plain text is nowhere else: whoever loses it needs
// another one.
func NewToken(name string, g Grant, now time.Time) (plain string, t Token, err error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", Token{}, fmt.Errorf("make the id of a token: %w", err)
	}
	plain = prefix + rand.Text() // 130 bits of chance
	if g.Namespace == "" {
		g.Namespace = DefaultNamespace
	}
	return plain, Token{ID: id.String(), Name: name, Hash: HashOf(plain), Grant: g, Created: now}, nil
}

// HashOf is what is kept of a token's plain text.
func HashOf(plain string) [sha256.Size]byte { return sha256.Sum256([]byte(plain)) }

// word is what names of tokens and namespaces look like: they stand in
// histories, in paths and in labels.
var word = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$`)

// check refuses a token that makes no sense.
func (t Token) check(now time.Time) error {
	switch {
	case !word.MatchString(t.Name):
		return refused(fmt.Sprintf("%q is no name of a token", t.Name), "write up to 63 letters, digits, . _ @ and -")
	case !word.MatchString(t.Namespace):
		return refused(fmt.Sprintf("%q is no name of a namespace", t.Namespace), "write up to 63 letters, digits, . _ @ and -")
	case len(t.Scopes) == 0:
		return refused("a token without a scope opens nothing", "name one of "+scopeNames())
	case slices.Contains(t.Scopes, Admin) && (len(t.Images) > 0 || len(t.Meta) > 0 || t.Policy != nil):
		return refused("the scope admin can't be limited: its holder could make a token without limits", "leave the limits out, or the scope")
	case !t.Expires.IsZero() && !t.Expires.After(now):
		return refused("the token would have expired already", "let it expire later")
	}
	for _, s := range t.Scopes {
		if !slices.Contains(Scopes, s) {
			return refused(fmt.Sprintf("there is no scope %q", s), "name one of "+scopeNames())
		}
	}
	for _, pattern := range t.Images {
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
			return refused(fmt.Sprintf("%q is no pattern of image names", pattern), "write it as etl-*")
		}
	}
	return nil
}

// Scopes are all there are.
var Scopes = []Scope{Read, Run, Warm, Admin}

func scopeNames() string {
	names := make([]string, len(Scopes))
	for i, s := range Scopes {
		names[i] = string(s)
	}
	return strings.Join(names, ", ")
}

func refused(message, mend string) error { return problem.New(problem.TokenRefused, message, mend) }

// Package access says who a caller is and what that caller may do: tokens,
// client certificates, scopes and limits.
package access

import (
	"path"
	"slices"
	"time"
)

// DefaultNamespace is that of callers who were given none.
const DefaultNamespace = "default"

// Scope is something that a caller may do.
type Scope string

// The scopes. Each is granted by itself, but Admin includes the others, and
// whoever may run or warm may read.
const (
	Read  Scope = "read"  // look at images, hosts, and the runs of its namespace
	Run   Scope = "run"   // submit, follow and cancel runs
	Warm  Scope = "warm"  // check, warm, hold, approve and roll back images
	Admin Scope = "admin" // all of it, in every namespace: hosts, pauses, prune, tokens
)

// Grant is what a caller may do.
type Grant struct {
	Scopes []Scope
	// Namespace is where its run keys, pin scopes, runs and logs are.
	Namespace string
	// Images are patterns (as path.Match has them) of the names of the images
	// that it may run and warm; empty: all.
	Images []string
	// Meta is what each of its runs carries. A submit that says otherwise is
	// refused.
	Meta map[string]string
	// Policy narrows the server's policy for its runs; nil: it does not.
	Policy *Policy
}

// Policy is runner.Policy, field by field.
type Policy struct {
	Privileged     bool
	HostNamespaces bool
	BindMounts     []string
	Volumes        []string
	Networks       []string
	CapAdd         []string
	Devices        []string
	SecurityOpt    []string
	Sysctls        []string
	SecretFiles    []string
}

// Caller is who a request is from.
type Caller struct {
	Name string
	Grant
	// Anonymous tells that it named itself by nothing: it is on this machine, and
	// the server has no tokens.
	Anonymous bool
}

// Known tells whether it is somebody: who may ask for nothing but what is open
// to all is not.
func (c Caller) Known() bool { return len(c.Scopes) > 0 }

// May tells whether the caller has a scope.
func (c Caller) May(s Scope) bool {
	if slices.Contains(c.Scopes, Admin) || slices.Contains(c.Scopes, s) {
		return true
	}
	return s == Read && (slices.Contains(c.Scopes, Run) || slices.Contains(c.Scopes, Warm))
}

// MayUse tells whether the caller may run and warm the image of a name.
func (c Caller) MayUse(image string) bool {
	return len(c.Images) == 0 || slices.ContainsFunc(c.Images, func(pattern string) bool {
		ok, err := path.Match(pattern, image)
		return ok && err == nil
	})
}

// Sees tells whether the caller may know of the runs and scopes of a namespace.
func (c Caller) Sees(namespace string) bool {
	return c.May(Admin) || c.Known() && c.Namespace == namespace
}

// Token is what is kept of a token: everything but itself.
type Token struct {
	ID   string // UUIDv7
	Name string
	Hash [32]byte // SHA-256 of the token, which has too much chance in it to be guessed
	Grant
	Created time.Time
	By      string    // who made it
	Expires time.Time // zero: never
	Revoked time.Time // zero: it is not
	Used    time.Time // to the minute; zero: never
	// Configured tells that the configuration brings it: it has no id, and is
	// taken back there.
	Configured bool
}

// Live tells whether the token opens anything at a time.
func (t Token) Live(now time.Time) bool {
	return t.Revoked.IsZero() && (t.Expires.IsZero() || now.Before(t.Expires))
}

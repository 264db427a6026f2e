package config

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
)

// tokensPath is a list that holds secrets.
const tokensPath = "auth.tokens"

// Auth says who may use the API. Where it is empty, and no token was made,
// everybody on this machine may.
type Auth struct {
	Tokens       []Token
	Certificates []Certificate
}

// Grant is what a caller may do, as access.Grant has it.
type Grant struct {
	Scopes    []string // read, run, warm, admin
	Namespace string   // default where nothing is said
	Images    []string // patterns of image names
	Meta      map[string]string
	Policy    *Policy
}

// Token is one that the configuration brings.
type Token struct {
	Name string
	// Value is what the file in TokenFile held, if one is named; at least 20
	// bytes, none of which is a blank.
	Value     Secret
	TokenFile string    // absolute, or empty
	Expires   time.Time // zero: never
	Grant
}

// Certificate is the holder of a client certificate.
type Certificate struct {
	Name string // the certificate's common name
	Grant
}

// leastToken is the length of a token that nobody guesses, in bytes: what makes
// 20 letters by chance has more of it than 100 bits.
const leastToken = 20

// defaultNamespace is that of callers of whom nothing is said.
const defaultNamespace = "default"

// scopeNames are what may be granted.
var scopeNames = []string{"read", "run", "warm", "admin"}

func (r *reader) auth(doc authDoc, server Server) Auth {
	return Auth{Tokens: r.tokens(doc.Tokens), Certificates: r.clients("auth.certificates", doc.Certificates, server.TLS)}
}

func (r *reader) tokens(docs []tokenDoc) []Token {
	var list []Token
	seen := make(names)
	for i, doc := range docs {
		entry := fmt.Sprintf("%s[%d]", tokensPath, i)
		r.checkName(seen, entry, doc.Name)
		token := Token{Name: doc.Name, Expires: r.expires(entry+".expires", doc.Expires)}
		token.Value, token.TokenFile = r.tokenText(entry, doc)
		same := slices.IndexFunc(list, func(t Token) bool { return t.Value == token.Value })
		if same >= 0 && token.Value != "" {
			r.add(entry, "", fmt.Sprintf("%s[%d] has the same token, and it tells who its holder is", tokensPath, same), "make another, or make one entry of the two")
		}
		token.Grant = r.grant(entry, certificateDoc{Scopes: doc.Scopes, Namespace: doc.Namespace, Images: doc.Images, Meta: doc.Meta, Policy: doc.Policy})
		list = append(list, token)
	}
	return list
}

// tokenRule matches what a header carries as it is.
var tokenRule = regexp.MustCompile(`^[!-~]*$`)

func (r *reader) tokenText(entry string, doc tokenDoc) (token Secret, file string) {
	const mend = "make one with: head -c 32 /dev/urandom | base64"
	held, written := r.secret(entry+".token", doc.Token, doc.TokenFile)
	switch {
	case !written:
		r.add(entry+".token_file", "", "it is missing", "write the path of a file with the token in it")
	case held.at == "":
	case len(held.text) < leastToken:
		r.add(held.at, doc.TokenFile, fmt.Sprintf("the token has fewer than %d characters, and can be guessed", leastToken), mend)
	case !tokenRule.MatchString(held.text.Reveal()):
		r.add(held.at, doc.TokenFile, "the token has blanks in it, or characters beyond ASCII", mend)
	}
	return held.text, held.file
}

// expires reads a day, at whose beginning it ends in UTC, or a moment.
func (r *reader) expires(field, text string) time.Time {
	if !r.has(field) {
		return time.Time{}
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil && t.UTC().Year() >= 2000 && t.UTC().Year() <= 9999 {
			return t.UTC()
		}
	}
	r.add(field, text, "it is not a date", "write a day, as in 2027-01-31, or a moment, as in 2027-01-31T12:00:00Z")
	return time.Time{}
}

func expiresText(t time.Time) string {
	switch {
	case t.IsZero():
		return ""
	case t.Equal(t.Truncate(24 * time.Hour)):
		return t.Format(time.DateOnly)
	}
	return t.Format(time.RFC3339Nano)
}

// maxCommonName bounds the common name of a certificate, in characters (X.520).
const maxCommonName = 64

func (r *reader) clients(field string, docs []certificateDoc, tls *ServerTLS) []Certificate {
	if len(docs) > 0 && (tls == nil || tls.ClientCA == "") && !r.spoiledWithin("server.tls") && !r.has("server.tls.client_ca") {
		r.add(field, "", "no caller can show a certificate", "add server.tls.client_ca, the certificate of those who sign them")
	}
	var list []Certificate
	seen := make(names)
	for i, doc := range docs {
		entry := fmt.Sprintf("%s[%d]", field, i)
		name := entry + ".name"
		switch {
		case !r.has(name):
			r.add(name, "", "it is missing", "write the common name of the caller's certificate")
		case doc.Name == "" || len([]rune(doc.Name)) > maxCommonName || strings.TrimSpace(doc.Name) != doc.Name || strings.ContainsFunc(doc.Name, unicode.IsControl):
			r.add(name, doc.Name, "no certificate has such a common name", "write 1 to 64 characters, as openssl x509 -noout -subject shows them behind CN =")
		default:
			r.checkUnique(seen, entry, doc.Name)
		}
		list = append(list, Certificate{Name: doc.Name, Grant: r.grant(entry, doc)})
	}
	return list
}

// grant reads what tokens and certificates have in common.
func (r *reader) grant(entry string, doc certificateDoc) Grant {
	grant := Grant{
		Scopes:    r.scopes(entry+".scopes", doc.Scopes),
		Namespace: r.namespace(entry+".namespace", doc.Namespace),
		Images:    r.imageNames(entry+".images", doc.Images),
		Meta:      maps.Clone(doc.Meta),
	}
	if limited := len(doc.Images) > 0 || len(doc.Meta) > 0 || doc.Policy != nil; limited && slices.Contains(doc.Scopes, "admin") {
		r.add(entry+".scopes", "admin", "it can't be limited by images, meta or policy: its holder could make a token without limits", "leave the limits out, or the scope")
	}
	if field := entry + ".policy"; doc.Policy != nil && r.has(field) {
		policy := r.policy(field, *doc.Policy)
		grant.Policy = &policy
	}
	return grant
}

func (r *reader) scopes(field string, written []string) []string {
	const mend = "write one or more of read, run, warm and admin"
	switch {
	case !r.has(field):
		r.add(field, "", "it is missing", mend)
	case len(written) == 0:
		r.add(field, "", "it is empty, and grants nothing", mend)
	}
	return r.oneOf(field, written, scopeNames, "there is no such scope")
}

func (r *reader) namespace(field, text string) string {
	switch {
	case !r.has(field):
		return defaultNamespace
	case !nameRule.MatchString(text):
		r.add(field, text, "a namespace is 1 to 63 lower-case letters, digits, '.' or '-', and begins with a letter or a digit", "choose another name")
	}
	return text
}

// imagesRule matches what patterns of names of images are made of.
var imagesRule = regexp.MustCompile(`^[a-z0-9.*?\[\]^-]+$`)

// imageNames checks patterns of the names that images have in the configuration.
func (r *reader) imageNames(field string, written []string) []string {
	return eachOnce(r, field, written, func(entry, text string) (string, bool) {
		_, err := path.Match(text, "")
		ok := err == nil && imagesRule.MatchString(text)
		if !ok {
			r.add(entry, text, "it is not a pattern of names of images", "write a name that an image has in this file; * stands for any run of characters, as in etl-*")
		}
		return text, ok
	})
}

func (t Token) document() tokenDoc {
	grant := t.Grant.document()
	doc := tokenDoc{
		Name: t.Name, TokenFile: t.TokenFile, Expires: expiresText(t.Expires),
		Scopes: grant.Scopes, Namespace: grant.Namespace, Images: grant.Images, Meta: grant.Meta, Policy: grant.Policy,
	}
	if t.TokenFile == "" {
		doc.Token = t.Value
	}
	return doc
}

func (g Grant) document() certificateDoc {
	doc := certificateDoc{Scopes: g.Scopes, Namespace: g.Namespace, Images: g.Images, Meta: g.Meta}
	if g.Policy != nil {
		policy := g.Policy.document()
		doc.Policy = &policy
	}
	return doc
}

func (a Auth) document() authDoc {
	var doc authDoc
	for _, t := range a.Tokens {
		doc.Tokens = append(doc.Tokens, t.document())
	}
	for _, c := range a.Certificates {
		client := c.document()
		client.Name = c.Name
		doc.Certificates = append(doc.Certificates, client)
	}
	return doc
}

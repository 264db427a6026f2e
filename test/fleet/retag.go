package fleet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Tag gives another tag of the same repository to what ref names: "v1" to
// "etl/jobs@sha256:…". Nothing is uploaded.
func (r *Registry) Tag(ctx context.Context, ref, tag string) error {
	err := r.ask(ctx, ref, func(from name.Reference, options []remote.Option) error {
		found, err := remote.Get(from, options...)
		if err != nil {
			return err
		}
		return remote.Tag(from.Context().Tag(tag), found, options...)
	})
	if err != nil {
		return fmt.Errorf("tag %s as %s: %w", ref, tag, err)
	}
	return nil
}

// Delete removes a manifest with all its tags: "etl/jobs@sha256:…". Blobs stay
// in the storage, and so do the children of an index.
func (r *Registry) Delete(ctx context.Context, ref string) error {
	err := r.ask(ctx, ref, func(ref name.Reference, options []remote.Option) error { return remote.Delete(ref, options...) })
	if err != nil {
		return fmt.Errorf("delete %s: %w", ref, err)
	}
	return nil
}

// Untag removes a tag, "etl/jobs:v1", and leaves the manifest. It takes it out
// of the storage: the registry's own way came with version 3.
func (r *Registry) Untag(ref string) error {
	tag, err := name.NewTag(r.Addr+"/"+ref, name.StrictValidation)
	if err != nil {
		return fmt.Errorf("untag %s: %w", ref, err)
	}
	dir := filepath.Join(r.dataDir(), "docker", "registry", "v2", "repositories",
		filepath.FromSlash(tag.RepositoryStr()), "_manifests", "tags", tag.TagStr())
	if !exists(dir) {
		return fmt.Errorf("untag %s: %w", ref, os.ErrNotExist)
	}
	return os.RemoveAll(dir)
}

// ask does something with a reference without a host ("etl/jobs:v1") by the
// registry's API.
func (r *Registry) ask(ctx context.Context, ref string, do func(name.Reference, []remote.Option) error) error {
	parsed, err := name.ParseReference(r.Addr+"/"+ref, r.nameOptions()...)
	if err != nil {
		return err
	}
	return r.connect(ctx, func(options []remote.Option) error { return do(parsed, options) })
}

// nameOptions are for parsing references to the registry.
func (r *Registry) nameOptions() []name.Option {
	if r.CAFile != "" {
		return []name.Option{name.StrictValidation}
	}
	return []name.Option{name.StrictValidation, name.Insecure}
}

// connect does something with the options of a client of this registry: with
// its account, its authority, and without a proxy, since it is on this machine.
func (r *Registry) connect(ctx context.Context, do func([]remote.Option) error) error {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	if r.CAFile != "" {
		pool, err := certPool(r.CAFile)
		if err != nil {
			return err
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithTransport(transport)}
	if user, password := r.account(); user != "" {
		options = append(options, remote.WithAuth(authn.FromConfig(authn.AuthConfig{Username: user, Password: password})))
	}
	return do(options)
}

func certPool(file string) (*x509.CertPool, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, errors.New("read authority " + file + ": it holds no certificate")
	}
	return pool, nil
}

package imports

// A library is a module of others, or a package of the standard library that is
// not for everybody, with the packages of ours that may import it.
type library struct {
	// path covers what is below it too.
	path string
	// by names the importers; nobody means everybody.
	by  []string
	why string
	// inTests tells that any test may import it.
	inTests bool
}

// onlyTests is who imports what no package may.
var onlyTests = []string{"tests"}

const terminalRule = "what a terminal shows is the command line's business"

// libraries are all that the program uses. The longest path that fits an import
// is its rule; a package of the standard library without a rule is for
// everybody.
var libraries = []library{
	{path: "database/sql", by: []string{"internal/store"}, why: "SQL stays in one adapter, so that PostgreSQL can follow"},
	{path: "net/http", by: []string{"internal/api", "internal/docker", "internal/metrics", "internal/notify", "internal/server", "registry", "registry/webhook"}, inTests: true, why: "the domain, its configuration and its state speak no HTTP"},
	{path: "net/http/httptest", by: onlyTests, inTests: true, why: "it makes fakes and comparisons, and the program has none"},

	{path: "github.com/danielgtaylor/huma/v2", by: []string{"internal/api", "internal/server"}, why: "the API's shapes and its handlers are all that knows the framework"},
	{path: "github.com/docker/docker", by: []string{"internal/docker"}, why: "engines are spoken to in one place, so that the client can be exchanged"},
	{path: "github.com/containerd/errdefs", by: []string{"internal/docker"}, why: "an engine's errors are told in our codes outside of it"},
	{path: "github.com/google/go-containerregistry", by: []string{"registry", "tools/image"}, why: "registries are spoken to in one place; others take its Ref, Pin and Client"},
	{path: "github.com/distribution/reference", by: []string{"registry"}, why: "references are parsed in one place; others take its Ref and Pin"},
	{path: "github.com/robfig/cron/v3", by: []string{"internal/schedule"}, why: "it panics on some lines and takes some that never fire; internal/schedule guards it"},
	{path: "github.com/spf13/viper", by: []string{"config"}, why: "it splits keys at dots and lower-cases them; config guards it and hands out plain values"},
	{path: "github.com/fsnotify/fsnotify", by: []string{"config"}, why: "files that are watched are those of the configuration"},
	{path: "github.com/santhosh-tekuri/jsonschema/v6", by: onlyTests, inTests: true, why: "it checks the schema that config makes"},
	{path: "github.com/Masterminds/semver/v3", by: []string{"internal/selection"}, why: "what a version is is decided in one place"},
	{path: "golang.org/x/crypto", by: []string{"internal/docker"}, why: "engines are reached over ssh in process; nothing else needs more than the standard library"},
	{path: "golang.org/x/crypto/x509roots/fallback/bundle", by: []string{"tools/image"}, why: "the image has a file of CA certificates; the program asks the system for them"},
	{path: "golang.org/x/time/rate", by: []string{"internal/server", "registry", "warmer/hints"}, why: "requests to registries, those of callers, and the looks that strangers ask for, are what has a rate"},
	{path: "go.yaml.in/yaml/v3", by: []string{"config", "tools/kubeschemas"}, inTests: true, why: "the configuration is all that is YAML"},
	{path: "github.com/pressly/goose/v3", by: []string{"internal/store"}, why: "migrations belong to the state"},
	{path: "github.com/prometheus/client_golang", by: []string{"internal/metrics"}, why: "the domain tells what happens, and one adapter knows who counts"},
	{path: "modernc.org/sqlite", by: []string{"internal/store"}, why: "SQL stays in one adapter, so that PostgreSQL can follow"},

	{path: "github.com/slack-go/slack", by: []string{"internal/notify"}, why: "people are told in one place"},
	{path: "github.com/wneessen/go-mail", by: []string{"internal/notify"}, why: "people are told in one place"},

	{path: "github.com/spf13/cobra", by: []string{"cmd/prewarm"}, why: "flags and verbs are the command line's business"},
	{path: "github.com/spf13/pflag", by: []string{"cmd/prewarm"}, why: "flags and verbs are the command line's business"},
	{path: "github.com/vbauerster/mpb/v8", by: []string{"cmd/prewarm"}, why: terminalRule},
	{path: "github.com/jedib0t/go-pretty/v6", by: []string{"cmd/prewarm"}, why: terminalRule},
	{path: "golang.org/x/term", by: []string{"cmd/prewarm"}, why: terminalRule},
	{path: "github.com/docker/go-units", by: []string{"cmd/prewarm", "config", "warmer"}, why: "sizes are bytes everywhere but before people"},

	{path: "github.com/coreos/go-systemd/v22", by: []string{"internal/systemd"}, why: "the service manager is told in one place"},
	{path: "github.com/klauspost/compress/zstd", by: []string{"runner/spool"}, why: "logs that have ended are all that is compressed"},
	{path: "github.com/cenkalti/backoff/v5", by: []string{"internal/notify", "warmer"}, why: "there is one backoff for a copy, and one for a route"},
	{path: "github.com/google/uuid"},
	{path: "golang.org/x/sync"},

	{path: "github.com/google/go-cmp", by: []string{"internal/docker/dockertest"}, inTests: true, why: "it makes fakes and comparisons, and the program has none"},
	{path: "github.com/emersion/go-smtp", by: onlyTests, inTests: true, why: "it makes fakes and comparisons, and the program has none"},
	{path: "github.com/emersion/go-sasl", by: onlyTests, inTests: true, why: "it makes fakes and comparisons, and the program has none"},
	{path: "go.uber.org/goleak", by: onlyTests, inTests: true, why: "it makes fakes and comparisons, and the program has none"},
	{path: "github.com/rogpeppe/go-internal/testscript", by: onlyTests, inTests: true, why: "it tests command lines"},
	{path: "pgregory.net/rapid", by: onlyTests, inTests: true, why: "it makes fakes and comparisons, and the program has none"},
}

//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/test/fleet"
	"github.com/prewarm/prewarm/test/prewarmtest"
)

// expect wants an exit code and words in what was told.
func (r result) expect(t *testing.T, code int, words ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("want code %d: %s", code, r)
	}
	for _, w := range words {
		if !strings.Contains(r.stderr, w) {
			t.Errorf("want %q to be told: %s", w, r)
		}
	}
}

func TestRefusedRuns(t *testing.T) {
	t.Parallel()
	digest := push(t, repo(t)+":latest", fleet.ProgramImage("one"))
	other := push(t, repo(t)+":other", fleet.ProgramImage("other"))
	b := newBench(t, image(t),
		fmt.Sprintf("{name: missing, repository: %s/%s, track: {tag: nope}}", shared.Registry.Addr, repo(t)))
	b.awaitCurrent(digest)
	repository := shared.Registry.Addr + "/" + repo(t)
	for _, c := range []struct {
		name  string
		args  []string
		words []string
	}{
		{"an unknown image", []string{"run", "job"}, []string{`no image of the configuration answers to "job"`, "nearest: jobs", "{name: job, repository:"}},
		{"an unknown ref", []string{"run", repository + ":other"}, []string{"track: {tag: other}"}},
		{"a digest that is not managed", []string{"run", repository + "@" + other}, []string{"neither current nor kept for a rollback of jobs:latest"}},
		{"a tag that does not exist", []string{"run", "missing"}, []string{"missing:nope has no current digest yet", "nope"}},
		{"a command that is not in the image", []string{"run", "jobs", "--entrypoint", "/nope"}, []string{"/nope"}},
		{"a network that does not exist", []string{"run", "jobs", "--network", "nope"}, []string{"nope"}},
		{"a user that does not exist", []string{"run", "jobs", "-u", "nobody-here"}, []string{"nobody-here"}},
		{"too little memory", []string{"run", "jobs", "-m", "1m"}, []string{"emory"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.cli(c.args...).expect(t, 125, c.words...)
		})
	}
	for _, name := range []string{"jobs:latest", repository, repository + ":latest", repository + "@" + digest} {
		if out := b.mustCLI("run", name, "--", "version"); out != "one\n" {
			t.Errorf("run %s printed %q", name, out)
		}
	}
	b.cli("check", "missing").expect(t, 1, repository+":nope", "push it")
	b.cli("check", "nope").expect(t, 1, "nope")
	b.cli("warm", "jobs", "--host", "nope").expect(t, 1, `no host is called "nope"`)
}

func TestAnImageForAnotherPlatformOnly(t *testing.T) {
	t.Parallel()
	push(t, repo(t)+":latest", fleet.Image{Platforms: []string{fleet.ForeignPlatform()}})
	b := newBench(t, image(t))
	await(t, "the digest is seen", func() bool {
		image, err := b.client().Image(t.Context(), "jobs")
		return err == nil && len(image.Tracks[0].Coming) > 0 && image.Tracks[0].Coming[0].Hosts[0].State == "no_platform"
	})
	b.cli("warm", "jobs").expect(t, 1, "no_platform", "the image has nothing for linux/amd64")
	b.cli("run", "jobs").expect(t, 125, "has no current digest yet", "no_platform")
}

// An index has the foreign platform too: only our child counts.
func TestAnIndexIsWarmedByItsOwnDigest(t *testing.T) {
	t.Parallel()
	index := push(t, repo(t)+":latest", fleet.Image{Version: "index", Platforms: []string{fleet.MachinePlatform(), fleet.ForeignPlatform()}})
	b := newBench(t, image(t))
	b.awaitCurrent(index)
	if out := b.mustCLI("run", "jobs", "--", "version"); out != "index\n" {
		t.Errorf("printed %q", out)
	}
	image, err := b.client().Image(t.Context(), "jobs")
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range image.Tracks[0].Current.Hosts {
		if h.PlatformDigest == "" || h.PlatformDigest == index {
			t.Errorf("%s: platform digest %q of index %s", h.Host, h.PlatformDigest, index)
		}
	}
}

func TestAnUnreachableHostIsToldAndDoesNotHoldUp(t *testing.T) {
	t.Parallel()
	digest := push(t, repo(t)+":latest", fleet.ProgramImage("one"))
	b := newBench(t, image(t))
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(b.configFile())
	if err != nil {
		t.Fatal(err)
	}
	b.configure(strings.Replace(string(config), "hosts:\n", "hosts:\n  - {name: gone, endpoint: unix:///nowhere.sock, labels: {pool: etl}}\n", 1))
	b.serve()
	b.awaitCurrent(digest)
	await(t, "status tells of it", func() bool {
		status := b.mustCLI("status")
		return strings.Contains(status, "unreachable") && strings.Contains(status, "/nowhere.sock")
	})
	b.cli("warm", "jobs").expect(t, 1, "gone: unreachable", "/nowhere.sock")
}

func TestRegistriesInTrouble(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		serve http.HandlerFunc
		words []string
	}{
		{"401", status(http.StatusUnauthorized), []string{"username"}},
		{"403", status(http.StatusForbidden), []string{"403"}},
		{"404", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v2/" {
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}`)
		}, []string{"push it"}},
		{"429", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "77")
			w.WriteHeader(http.StatusTooManyRequests)
		}, []string{"left alone"}},
		{"500", status(http.StatusInternalServerError), []string{"500"}},
		{"garbage", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>welcome</html>") }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(c.serve)
			defer server.Close()
			address := strings.TrimPrefix(server.URL, "http://")
			setup := prewarmtest.SetupOf(shared, "", "")
			setup.Registries = []string{prewarmtest.Registry(&fleet.Registry{Addr: address})}
			setup.Images = []string{fmt.Sprintf("{name: jobs, repository: %s/etl/jobs, watch: '@every 1h'}", address)}
			b := newBenchOf(t, setup)
			r := b.cli("check", "jobs")
			r.expect(t, 1, append(c.words, address)...)
			if strings.Count(r.stderr, "\n") < 2 {
				t.Errorf("no mend told: %s", r)
			}
			await(t, "the failure shows in status", func() bool { return strings.Contains(b.mustCLI("status"), address) })
		})
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func TestServeRefuses(t *testing.T) {
	t.Parallel()
	push(t, repo(t)+":latest", fleet.ProgramImage("one"))
	b := newBench(t, image(t))
	second := func(t *testing.T, address, state string) result {
		t.Helper()
		path := filepath.Join(t.TempDir(), "prewarm.yaml")
		if err := os.WriteFile(path, []byte(prewarmtest.Config(shared, address, state, image(t))), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		return finish(t, exec.CommandContext(ctx, binary, "serve", "--config", path))
	}
	free, err := prewarmtest.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("a state in use", func(t *testing.T) {
		state := filepath.Join(b.dir, "state")
		second(t, free, state).expect(t, 1, "another prewarm serve uses the state in "+state, "state.path")
	})
	t.Run("a port in use", func(t *testing.T) {
		second(t, b.address, t.TempDir()).expect(t, 1, "listen on "+b.address, "address already in use", "server.listen")
	})
	t.Run("a corrupt state", func(t *testing.T) {
		state := t.TempDir()
		path := filepath.Join(state, "prewarm.db")
		if err := os.WriteFile(path, bytes.Repeat([]byte("garbage "), 1000), 0o600); err != nil {
			t.Fatal(err)
		}
		second(t, free, state).expect(t, 1, "read the state in "+path, "move the folder away")
		if after, err := os.ReadFile(path); err != nil || !bytes.HasPrefix(after, []byte("garbage ")) || len(after) != 8000 {
			t.Errorf("the file was changed (%v)", err)
		}
	})
	b.mustCLI("status") // the first one goes on
}

func TestTheCommandLineFindsNoServer(t *testing.T) {
	t.Parallel()
	free, err := prewarmtest.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	gone := &prewarmtest.Server{Binary: binary, URL: "http://" + free}
	finish(t, gone.Command(t.Context(), "status")).expect(t, 1, "no prewarm server answers at http://"+free, "--server")
	finish(t, gone.Command(t.Context(), "run", "jobs")).expect(t, 125, "no prewarm server answers")
}

// apiError is the code of a failed call.
func apiError(t *testing.T, b *bench, r api.SubmitRun) string {
	t.Helper()
	_, err := b.client().Submit(t.Context(), r, "")
	if err == nil {
		t.Fatal("accepted")
	}
	return string(codeOf(err))
}

//go:build install

package install

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prewarm/prewarm/test/prewarmtest"
)

// buildDeb builds the package of this machine as if after a release.
func buildDeb(t *testing.T, release, to string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "make", "-C", root(t), "deb")
	cmd.Env = append(os.Environ(), "GORELEASER_CURRENT_TAG="+release)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make deb: %v\n%s", err, out)
	}
	made, err := filepath.Glob(filepath.Join(root(t), "dist", "*.deb"))
	if err != nil || len(made) != 1 {
		t.Fatalf("make deb made %v, want one package (%v)", made, err)
	}
	if out, err := exec.CommandContext(t.Context(), "cp", made[0], to).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// want compares what a script prints there.
func (c *chroot) want(script, want string) {
	c.t.Helper()
	if got, err := c.try(script); got != want {
		c.t.Errorf("%s: got %q (%v), want %q", script, got, err, want)
	}
}

const (
	debConfig = "/etc/prewarm/prewarm.yaml"
	adminWord = "a-token-that-is-long-enough"
)

// The package from its installation to its purge.
func TestDeb(t *testing.T) {
	c := newChroot(t)
	buildDeb(t, "v1.0.0", c.path("/first.deb"))
	buildDeb(t, "v2.0.0", c.path("/second.deb"))

	c.sh("dpkg -i /first.deb")
	wantInstalled(c)
	verify(c)
	url := configure(c)

	secrets := map[string]string{"admin": adminWord + "\n", "secret.key": c.sh("head -c 32 /dev/urandom | base64") + "\n"}
	key := "PREWARM_RUNNER_SECRET_KEY_FILE=/run/credentials/prewarm.service/secret.key"
	s := c.start(secrets, key)
	s.hear("WATCHDOG=1")
	cli := "prewarm --server " + url
	word := "PREWARM_TOKEN=" + adminWord
	c.sh(cli+" token create kept --scope run", word)
	wantReload(c, s, key)
	s.stop()

	edited := c.sh("cat " + debConfig)
	c.sh("dpkg -i /second.deb")
	if got := c.sh("prewarm version"); !strings.HasPrefix(got, "prewarm 2.0.1-dev.") {
		t.Errorf("after the upgrade: %s", got)
	}
	if got := c.sh("cat " + debConfig); got != edited {
		t.Errorf("the upgrade changed the configuration to:\n%s", got)
	}
	c.want("stat -c '%a %U:%G' "+debConfig, "640 root:prewarm")
	s = c.start(secrets, key)
	if got := c.sh(cli+" token list", word); !strings.Contains(got, "kept") {
		t.Errorf("the state did not survive the upgrade; tokens:\n%s", got)
	}
	s.stop()

	c.sh("dpkg -r prewarm")
	c.want("ls /usr/bin/prewarm /lib/systemd/system/prewarm.service 2>/dev/null || true", "")
	if got := c.sh("cat " + debConfig); got != edited {
		t.Errorf("the removal changed the configuration to:\n%s", got)
	}
	c.sh("test -s /var/lib/prewarm/prewarm.db && getent passwd prewarm")

	c.sh("dpkg -i /second.deb")
	c.want("readlink /etc/systemd/system/prewarm.service /etc/systemd/system/multi-user.target.wants/prewarm.service", "/lib/systemd/system/prewarm.service")
	if got := c.sh("cat " + debConfig); got != edited {
		t.Errorf("installed again, the configuration is:\n%s", got)
	}
	c.sh("dpkg -r prewarm")

	c.sh("dpkg -P prewarm")
	c.want("ls -d /etc/prewarm /var/lib/prewarm 2>/dev/null || true", "")
	c.want("getent passwd prewarm || getent group prewarm || true", "")
	c.want("find /etc/systemd/system /var/lib/systemd/deb-systemd-helper-* -name 'prewarm*' || true", "")
	c.want("dpkg-query -W prewarm 2>/dev/null || true", "")
}

// wantInstalled looks at what a first installation made.
func wantInstalled(c *chroot) {
	c.t.Helper()
	if got := c.sh("prewarm version"); !strings.HasPrefix(got, "prewarm 1.0.1-dev.") {
		c.t.Errorf("prewarm version: %s", got)
	}
	c.want("getent passwd prewarm | cut -d: -f6,7", "/var/lib/prewarm:/usr/sbin/nologin")
	c.want("stat -c '%n %a %U:%G' /etc/prewarm "+debConfig+" /var/lib/prewarm",
		"/etc/prewarm 750 root:prewarm\n"+debConfig+" 640 root:prewarm\n/var/lib/prewarm 700 prewarm:prewarm")
	c.want("readlink /etc/systemd/system/multi-user.target.wants/prewarm.service", "/lib/systemd/system/prewarm.service")
	c.want("runuser -u prewarm -- prewarm config check --config "+debConfig, debConfig+" is good: 0 hosts, 0 images")
	c.want("dpkg --verify prewarm", "")
	c.want("dpkg-query -W -f '${Conffiles}' prewarm | awk '{print $1}'", debConfig)
	for _, file := range []string{
		"/usr/share/man/man1/prewarm.1.gz", "/usr/share/man/man1/prewarm-serve.1.gz",
		"/usr/share/bash-completion/completions/prewarm", "/usr/share/zsh/vendor-completions/_prewarm", "/usr/share/fish/vendor_completions.d/prewarm.fish",
	} {
		if info, err := os.Stat(c.path(file)); err != nil || info.Size() == 0 {
			c.t.Errorf("%s: %v", file, err)
		}
	}
	// What is commented out of the configuration is one, too.
	c.sh(`mkdir -p /tmp/full/secrets /tmp/full/certs && sed '/^server:/,$ s/^#\([a-z]\|  \)/\1/' ` + debConfig + ` >/tmp/full/prewarm.yaml`)
	out, err := c.try("prewarm config check --config /tmp/full/prewarm.yaml")
	for line := range strings.Lines(out) {
		if err == nil || !strings.Contains(line, "it does not exist") && !strings.Contains(line, "mistakes") {
			c.t.Errorf("the commented part of the configuration: %s", line)
		}
	}
}

// configure edits the configuration as a user would, with a token by
// LoadCredential, and gives the server's URL.
func configure(c *chroot) (url string) {
	c.t.Helper()
	address, err := prewarmtest.FreeAddress()
	if err != nil {
		c.t.Fatal(err)
	}
	c.sh(fmt.Sprintf(`sed -i 's/127.0.0.1:8470/%s/' %s
echo 'auth: {tokens: [{name: admin, token_file: /run/credentials/prewarm.service/admin, scopes: [admin]}]}' >>%[2]s`, address, debConfig))
	return "http://" + address
}

// wantReload reloads a service, with mistakes and without.
func wantReload(c *chroot, s *service, env ...string) {
	c.t.Helper()
	c.sh("cp -p " + debConfig + " /tmp/good.yaml && echo 'hots: []' >>" + debConfig)
	if out, err := s.reload(env...); err == nil || !strings.Contains(out, "did you mean hosts") {
		c.t.Errorf("a reload with a mistake: %v\n%s", err, out)
	}
	c.sh("cp -p /tmp/good.yaml " + debConfig)
	if out, err := s.reload(env...); err != nil {
		c.t.Errorf("a reload: %v\n%s", err, out)
	}
	s.hear("RELOADING=1")
	s.hear("READY=1")
}

//go:build install

package install

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Nothing can be pulled where these tests run, so the images of others that
// compose.yaml names are stood in for by images of the same name. There is
// nothing in them but links and settings; the programs are this machine's own,
// Debian's packages of the same software, for /usr is mounted into each
// (override). What the real images add, their entrypoints, is not tried:
// compose.yaml gives the commands whole, but for the registry's, which is the
// image's own.

// standIn is an image in the place of one that can't be had.
type standIn struct {
	service string   // of compose.yaml; its image's name is taken from there
	changes []string // of docker import
	mounts  []string // beside /usr
	environ []string
	more    []string          // further lines of the service in override
	files   map[string]string // beside those that all have
}

// standIns are all but PostgreSQL, whose image is an entrypoint above all, and
// Airflow's other parts: the task is run by its command line instead.
func standIns(a airflow, privileged []string) []standIn {
	return []standIn{
		{
			service: "registry",
			changes: []string{`ENTRYPOINT ["docker-registry"]`, `CMD ["serve", "/etc/docker/registry/config.yml"]`, "VOLUME /var/lib/registry"},
			files: map[string]string{"etc/docker/registry/config.yml": `{version: 0.1, http: {addr: ':5000'},
				storage: {filesystem: {rootdirectory: /var/lib/registry}}}`},
		},
		{
			service: "etl-1",
			changes: []string{`ENTRYPOINT ["/bin/sh", "/standin/dind"]`, "VOLUME /var/lib/docker"},
			// Debian's iptables is a link to there.
			mounts: []string{"/etc/alternatives:/etc/alternatives:ro"},
			more:   privileged,
			files:  map[string]string{"standin/dind": dind},
		},
		{
			service: airflowService,
			changes: []string{`ENTRYPOINT ["airflow"]`, "USER 50000", "ENV AIRFLOW_HOME=/opt/airflow", "ENV PATH=" + a.env + "/bin:/usr/bin"},
			mounts:  a.mounts(),
			environ: []string{"PYTHONPATH=" + a.provider},
		},
	}
}

// dind is what an engine needs in a container whose control groups are mounted
// read-only, as those of one without privileges are.
const dind = `
for dir in /sys/fs/cgroup /sys/fs/cgroup/*; do
	mountpoint -q $dir && mount -o remount,bind,rw $dir
done
exec "$@"
`

// unprivileged gives a service what privileged gives it, on a machine that is a
// container itself and lacks a capability: there the kernel refuses to start what
// asks for all. Nil where nothing is lacking, and compose.yaml is tried as it is.
func unprivileged(ctx context.Context, t *testing.T) []string {
	t.Helper()
	all, err := exec.CommandContext(ctx, "setpriv", "--list-caps").Output()
	if err != nil {
		t.Fatalf("setpriv --list-caps: %v", err)
	}
	dump, err := exec.CommandContext(ctx, "setpriv", "--dump").Output()
	if err != nil {
		t.Fatalf("setpriv --dump: %v", err)
	}
	_, bound, _ := strings.Cut(string(dump), "Capability bounding set: ")
	bound, _, _ = strings.Cut(bound, "\n")
	lacking := slices.DeleteFunc(strings.Fields(string(all)), func(c string) bool {
		return slices.Contains(strings.Split(bound, ","), c)
	})
	if len(lacking) == 0 {
		return nil
	}
	t.Logf("this machine lacks %v, so that its engine can start nothing privileged: etl-1 gets the rest one by one", lacking)
	return []string{
		"privileged: false", "cap_add: [ALL]", "cap_drop: [" + strings.ToUpper(strings.Join(lacking, ", ")) + "]",
		"security_opt: ['seccomp=unconfined', 'systempaths=unconfined']", "device_cgroup_rules: ['a *:* rwm']",
	}
}

// load makes the image under the name that compose.yaml has for it.
func (s standIn) load(ctx context.Context, t *testing.T, host, image string) {
	t.Helper()
	args := []string{"import"}
	for _, c := range append([]string{"ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/standin"}, s.changes...) {
		args = append(args, "--change", c)
	}
	dockerAt(ctx, t, host, s.archive(t), append(args, "-", image)...)
}

// archive is a root on which a mount of /usr makes a Debian.
func (s standIn) archive(t *testing.T) []byte {
	t.Helper()
	a := newArchive(t)
	for _, dir := range []string{"usr", "etc", "etc/alternatives", "dev", "proc", "sys", "run", "opt", "root", "var", "var/lib", "standin"} {
		a.add(tar.Header{Name: dir, Typeflag: tar.TypeDir, Mode: 0o755}, nil)
	}
	for _, dir := range []string{"bin", "sbin", "lib", "lib64"} {
		a.add(tar.Header{Name: dir, Typeflag: tar.TypeSymlink, Linkname: "usr/" + dir}, nil)
	}
	a.add(tar.Header{Name: "var/run", Typeflag: tar.TypeSymlink, Linkname: "/run"}, nil)
	a.add(tar.Header{Name: "tmp", Typeflag: tar.TypeDir, Mode: 0o1777}, nil)
	for _, dir := range []string{"opt/airflow", "opt/airflow/dags", "opt/airflow/logs"} {
		a.add(tar.Header{Name: dir, Typeflag: tar.TypeDir, Mode: 0o775, Uid: 50000}, nil)
	}
	a.file("etc/passwd", "root:x:0:0::/root:/bin/sh\nairflow:x:50000:0::/opt/airflow:/bin/sh\n")
	a.file("etc/group", "root:x:0:\n")
	for name, text := range s.files {
		for dir := filepath.Dir(name); dir != "etc" && dir != "standin"; dir = filepath.Dir(dir) {
			a.add(tar.Header{Name: dir, Typeflag: tar.TypeDir, Mode: 0o755}, nil)
		}
		a.file(name, text)
	}
	// The real ones stand on Alpine, whose small programs are busybox.
	a.busybox("standin/", "wget")
	return a.end()
}

// override is a file of compose that gives the stand-ins their programs.
func override(all []standIn) string {
	var b strings.Builder
	b.WriteString("services:\n")
	for _, s := range all {
		fmt.Fprintf(&b, "  %s:\n    volumes:\n", s.service)
		for _, m := range append([]string{"/usr:/usr:ro"}, s.mounts...) {
			fmt.Fprintf(&b, "      - %q\n", m)
		}
		for _, line := range s.more {
			fmt.Fprintf(&b, "    %s\n", line)
		}
		if len(s.environ) > 0 {
			b.WriteString("    environment:\n")
		}
		for _, e := range s.environ {
			fmt.Fprintf(&b, "      - %q\n", e)
		}
	}
	return b.String()
}

// airflow is an Airflow on this machine, which tools/airflow.sh made.
type airflow struct {
	env      string // the environment's folder
	python   string // the Python below it
	provider string // the provider's source
}

// findAirflow asks for the environment that the provider's own tests run in, and
// makes it where there is none yet.
func findAirflow(ctx context.Context, t *testing.T) airflow {
	t.Helper()
	cmd := exec.CommandContext(ctx, "sh", "tools/airflow.sh", toolsDir(t), "airflow-3.3")
	cmd.Dir, cmd.Stderr = root(t), os.Stderr
	env, err := cmd.Output()
	if err != nil {
		t.Fatalf("make an Airflow by tools/airflow.sh: %v", err)
	}
	a := airflow{env: strings.TrimSpace(string(env)), provider: filepath.Join(root(t), "airflow/src")}
	python, err := exec.CommandContext(ctx, a.env+"/bin/python", "-c", "import sys; print(sys.base_prefix)").Output()
	if err != nil {
		t.Fatalf("find the Python of %s: %v", a.env, err)
	}
	a.python = strings.TrimSpace(string(python))
	return a
}

func (a airflow) mounts() []string {
	mounts := []string{a.env + ":" + a.env + ":ro", a.provider + ":" + a.provider + ":ro"}
	if !strings.HasPrefix(a.python+"/", "/usr/") {
		mounts = append(mounts, a.python+":"+a.python+":ro")
	}
	return mounts
}

// busyboxImage is what `docker pull busybox` gets, by Debian's busybox.
func busyboxImage(t *testing.T, applets ...string) []byte {
	t.Helper()
	a := newArchive(t)
	a.add(tar.Header{Name: "bin", Typeflag: tar.TypeDir, Mode: 0o755}, nil)
	a.busybox("bin/", applets...)
	return a.end()
}

// archive is a tar file that is written.
type archive struct {
	t   *testing.T
	buf bytes.Buffer
	tar *tar.Writer
}

func newArchive(t *testing.T) *archive {
	a := &archive{t: t}
	a.tar = tar.NewWriter(&a.buf)
	return a
}

func (a *archive) add(h tar.Header, content []byte) {
	a.t.Helper()
	h.Size, h.ModTime = int64(len(content)), time.Unix(0, 0)
	if err := a.tar.WriteHeader(&h); err != nil {
		a.t.Fatal(err)
	}
	if _, err := a.tar.Write(content); err != nil {
		a.t.Fatal(err)
	}
}

func (a *archive) file(name, text string) {
	a.t.Helper()
	a.add(tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644}, []byte(text))
}

func (a *archive) busybox(dir string, applets ...string) {
	a.t.Helper()
	path, err := exec.LookPath("busybox")
	if err != nil {
		a.t.Fatalf("%v; run: sh test/setup.sh install", err)
	}
	program, err := os.ReadFile(path)
	if err != nil {
		a.t.Fatal(err)
	}
	a.add(tar.Header{Name: dir + "busybox", Typeflag: tar.TypeReg, Mode: 0o755}, program)
	for _, applet := range applets {
		a.add(tar.Header{Name: dir + applet, Typeflag: tar.TypeSymlink, Linkname: "busybox"}, nil)
	}
}

func (a *archive) end() []byte {
	a.t.Helper()
	if err := a.tar.Close(); err != nil {
		a.t.Fatal(err)
	}
	return a.buf.Bytes()
}

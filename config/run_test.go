package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCPUs(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]int64{
		"1": 1_000_000_000, "1.5": 1_500_000_000, "0.25": 250_000_000, ".000000001": 1, "1024": 1_024_000_000_000, "2.0": 2_000_000_000,
		"0": 0, "1024.1": 0, "1.": 0, "1e1": 0, "1/2": 0, "-1": 0, "": 0, "99999999999999999999": 0, "0.0000000015": 0,
	} {
		r := newReader("", "")
		r.at["cpus"] = position{}
		got := r.cpus("cpus", written)
		if got != want || (want == 0) != (len(r.found) == 1) {
			t.Errorf("%q is %d, want %d (%v)", written, got, want, r.found)
		}
		if again := r.cpus("cpus", cpusText(got)); got != 0 && again != got {
			t.Errorf("%q is written %q, which is %d", written, cpusText(got), again)
		}
	}
}

func TestSignals(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		"SIGTERM": "SIGTERM", "int": "SIGINT", "SigUsr1": "SIGUSR1", "9": "9", "064": "64", "RTMIN+3": "SIGRTMIN+3", "SIGRTMAX-15": "SIGRTMAX-15",
		"": "", "0": "", "65": "", "RTMIN+16": "", "SIGSIGINT": "", "TERMINATE": "", "-9": "",
	} {
		r := newReader("", "")
		r.at["signal"] = position{}
		if got := r.signal("signal", written); got != want || (want == "") != (len(r.found) == 1) {
			t.Errorf("%q is %q, want %q (%v)", written, got, want, r.found)
		}
	}
}

func TestMounts(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		"/data":                             "type=volume,target=/data",
		"cache:/data":                       "type=volume,source=cache,target=/data",
		"/srv/a:/data:ro":                   "type=bind,source=/srv/a,target=/data,readonly",
		"/srv/a=b:/data:rw":                 "type=bind,source=/srv/a=b,target=/data",
		"target=/data":                      "type=volume,target=/data",
		"TYPE=Bind,SRC=/a,DST=/b,ro=1":      "type=bind,source=/a,target=/b,readonly",
		`type=bind,"src=/a""b,c",dst=/d`:    `type=bind,"source=/a""b,c",target=/d`,
		"type=tmpfs,dst=/t,tmpfs-mode=0700": "type=tmpfs,target=/t,tmpfs-mode=700",
		"type=tmpfs,dst=/t,tmpfs-mode=9":    "",
		"type=tmpfs,dst=/t,tmpfs-size=x":    "",
		"type=bind,src=/a,dst=/b,ro=maybe":  "",
		"type=bind,src=/a,dst=/b\nro":       "",
		"type=bind,src=~/a,dst=/b":          "",
		"~/a:/b":                            "",
		":/b":                               "",
		"/a:/b:/c":                          "",
		"":                                  "",
	} {
		r := newReader("", "")
		mounts := r.mounts("mounts", []string{written})
		got := ""
		if len(mounts) == 1 {
			got = mounts[0].String()
		}
		if got != want || (want == "") != (len(r.found) == 1) {
			t.Errorf("%q is %q, want %q (%v)", written, got, want, r.found)
		}
		if again := r.mounts("mounts", []string{got}); want != "" && !cmp.Equal(again, mounts) {
			t.Errorf("%q is read back as %+v, want %+v", got, again, mounts)
		}
	}
}

// A folder allows itself, and with /** what is below it, and nothing that only
// begins like it.
func TestMountable(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]bool{
		"/srv/data": true, "/srv/data/a": true, "/srv/database": false, "/srv": false, "/": false, "/opt": true, "/opt/a": false,
	} {
		if got := mountable(file, []string{"/opt", "/srv/data/**"}); got != want {
			t.Errorf("%s is mountable: %v, want %v", file, got, want)
		}
		if !mountable(file, []string{"/**"}) {
			t.Errorf("/** does not allow %s", file)
		}
	}
}

// Variables may hold what nobody should read: no message tells a value.
func TestNoMessageTellsAVariable(t *testing.T) {
	t.Parallel()
	for _, list := range []string{"[hunter2]", "[A B=hunter2]", "[=hunter2]", "[A=1, A=hunter2]", "[{A: hunter2}]", "{A: hunter2}", "hunter2", "[!x A=hunter2]", `["A=x\0hunter2"]`} {
		message := refused(t, write(t, "hosts: [{name: a, endpoint: unix:///a, env: "+list+"}]"), nil).Error()
		if strings.Contains(message, "unter") {
			t.Errorf("the message tells a part of the value: %s", message)
		}
	}
}

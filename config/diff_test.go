package config

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const diffBase = `
state: {path: /a}
registries: [{name: r.example.com, username: ci, password: Zq7Xw9Kp}, {name: s.example.com, username: ci, password: Zq7Xw9Kp}]
hosts:
  - {name: etl-1, endpoint: unix:///a, labels: {pool: etl}}
  - {name: etl-2, endpoint: 'tcp://b:1', insecure: true}
  - {name: etl-3, endpoint: 'tcp://c:1', tls: {server_name: c}}
images:
  - {name: jobs, repository: node}
  - {name: old, repository: node, track: {tag: '20'}}
`

func TestDiff(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		changes []string // old, new, old, new …
		want    []string
	}{
		"nothing":          {nil, nil},
		"another spelling": {[]string{"{name: jobs, repository: node}", "{name: jobs, repository: docker.io/library/node, keep: 2}"}, nil},
		"another order":    {[]string{"  - {name: jobs, repository: node}\n", "", "{tag: '20'}}", "{tag: '20'}}\n  - {name: jobs, repository: node}"}, nil},
		"scalars": {
			[]string{"state: {path: /a}", "state: {path: /b}\nlimits: {pulls: 4, rate: 50/s}"},
			[]string{"state.path /a -> /b", "limits.pulls none -> 4", "limits.rate none -> 50/s"},
		},
		"an image added and one removed": {
			[]string{"name: old", "name: new"},
			[]string{"images: removed old", "images: added new"},
		},
		"a password": {[]string{"password: Zq7Xw9Kp}, {name: s", "password: Yq7Xw9Kp}, {name: s"}, []string{"registries r.example.com: password changed"}},
		"a host": {
			[]string{"labels: {pool: etl}", "labels: {pool: web, rack: a}, limits: {pulls: 4}"},
			[]string{"hosts etl-1: labels pool=etl -> pool=web, rack=a", "hosts etl-1: limits.pulls 2 -> 4"},
		},
		"TLS": {
			[]string{"insecure: true", "tls: {}", "tls: {server_name: c}", "tls: {server_name: d}"},
			[]string{"hosts etl-2: insecure true -> false", "hosts etl-2: tls added", "hosts etl-3: tls.server_name c -> d"},
		},
		"an image": {
			[]string{"name: jobs, repository: node", "name: jobs, repository: node, keep: 0, retag: true, promote: {when: any}, windows: [{days: sat}], verify: {command: [v, Zq7Xw9Kp]}"},
			[]string{
				"images jobs: windows changed", "images jobs: verify.command changed", "images jobs: verify.timeout none -> 1m",
				"images jobs: promote.when all -> any", "images jobs: retag false -> true", "images jobs: keep 2 -> 0",
			},
		},
		"what runs get": {
			[]string{
				"repository: node}\n", "repository: node, run: {env: [A=Zq7Xw9Kp], memory: 2g, init: true, mounts: [a1:/a], labels: {team: etl}, timeout: 2h}}\n",
				"labels: {pool: etl}", "labels: {pool: etl}, env: [A=Zq7Xw9Kp], binds: [/srv], aliases: ['tcp://a:1', etl-1]",
			},
			[]string{
				"hosts etl-1: aliases none -> tcp://a:1, etl-1", "hosts etl-1: env changed", "hosts etl-1: binds none -> /srv",
				"images jobs: run.env changed", "images jobs: run.mounts none -> type=volume,source=a1,target=/a", "images jobs: run.memory none -> 2g",
				"images jobs: run.init false -> true", "images jobs: run.labels none -> team=etl", "images jobs: run.timeout none -> 2h",
			},
		},
		"the runner": {
			[]string{
				"state: {path: /a}",
				"state: {path: /a}\nrunner: {grace: 20s, queue: 5, logs: {cap: 2g, total: 9g}, forward: [{to: stdout}], policy: {privileged: true, cap_add: [NET_RAW, SYSLOG], networks: [none]}}",
			},
			[]string{
				"runner.grace 10s -> 20s", "runner.queue 1000 -> 5", "runner.logs.cap 1g -> 2g", "runner.logs.total 10g -> 9g", "runner.forward changed",
				"runner.policy.privileged false -> true", "runner.policy.networks none -> [none]", "runner.policy.cap_add none -> NET_RAW, SYSLOG",
			},
		},
		"pruning": {
			[]string{
				"state: {path: /a}",
				"state: {path: /a}\nprune: {schedule: off, keep_min: 0, unused_for: 24h, protect: ['a:*'], dry_run: true, hosts: [{labels: {pool: etl}, min_age: 1h}]}",
				"labels: {pool: etl}", "labels: {pool: etl}, disk: {high: 85%}", "insecure: true", "insecure: true, disk: {budget: 50g}",
				"repository: node}\n", "repository: node, prune: {min_age: 0, keep_min: 0}}\n",
			},
			[]string{
				"hosts etl-1: disk.high none -> 85%", "hosts etl-1: disk.low none -> 85%",
				"hosts etl-2: disk.high none -> 100%", "hosts etl-2: disk.low none -> 100%", "hosts etl-2: disk.budget none -> 50g",
				"images jobs: prune.min_age none -> 0s", "images jobs: prune.keep_min none -> 0",
				"prune.schedule 17 3 * * * -> off", "prune.unused_for none -> 24h", "prune.keep_min 1 -> 0", "prune.protect none -> docker.io/library/a:*",
				"prune.dry_run false -> true", "prune.hosts changed",
			},
		},
		"the server": {
			[]string{"state: {path: /a}", "state: {path: /a}\nserver: {listen: ':1', insecure: true, public_url: https://p.test, link_life: 0, limits: {rate: 10/s}}"},
			[]string{"server.listen 127.0.0.1:8470 -> :1", "server.public_url none -> https://p.test", "server.insecure false -> true", "server.link_life 168h -> 0s", "server.limits.rate 50/s -> 10/s"},
		},
		"callers and senders": {
			[]string{"state: {path: /a}", `state: {path: /a}
auth:
  tokens:
    - {name: gone, token: Zq7Xw9Kp-Zq7Xw9Kp-gone, scopes: [run]}
    - {name: airflow, token: Zq7Xw9Kp-Zq7Xw9Kp-one, scopes: [run]}
webhooks: [{name: ci, kind: github, secret: Zq7Xw9Kp-Zq7Xw9Kp, repositories: [a/*]}]
notify: [{name: ops, email: {host: m, from: a@b.test, to: [c@b.test]}}]
`},
			[]string{"auth.tokens: added gone", "auth.tokens: added airflow", "webhooks: added ci", "notify: added ops"},
		},
		"what is tracked": {
			[]string{"track: {tag: '20'}", "track: {select: {newest: 2}}"},
			[]string{"images old: track.tag 20 -> none", "images old: track.select added"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Diff(mustLoad(t, write(t, diffBase)), mustLoad(t, write(t, strings.NewReplacer(c.changes...).Replace(diffBase))))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if strings.Contains(strings.Join(got, "\n"), "q7Xw9Kp") {
				t.Errorf("a secret is told: %q", got)
			}
		})
	}
}

const diffAccess = `
auth:
  tokens: [{name: airflow, token: Zq7Xw9Kp-Zq7Xw9Kp-one, scopes: [run], meta: {team: etl}}]
webhooks: [{name: ci, kind: generic, secret: Zq7Xw9Kp-Zq7Xw9Kp, repositories: [a/*], fields: {image: i}}]
notify: [{name: ops, email: {host: m, from: a@b.test, to: [c@b.test]}, group: 1m}]
`

func TestDiffOfAccess(t *testing.T) {
	t.Parallel()
	changes := strings.NewReplacer(
		"Zq7Xw9Kp-one, scopes: [run], meta: {team: etl}", "Zq7Xw9Kp-two, scopes: [run, warm], expires: 2027-01-31, images: [a*], meta: {team: web}, policy: {}",
		"Zq7Xw9Kp, repositories: [a/*], fields: {image: i}", "Yq7Xw9Kp, previous_secret: Zq7Xw9Kp-Zq7Xw9Kp, repositories: [a/*], registry: r.test, fields: {image: j}",
		"email: {host: m, from: a@b.test, to: [c@b.test]}, group: 1m", "webhook: {url: 'http://a.test', secret_file: "+secretPath(t)+"}, on: [run_lost], title: '{{.Kind}}'",
	)
	want := []string{
		"auth.tokens airflow: token changed", "auth.tokens airflow: expires none -> 2027-01-31", "auth.tokens airflow: scopes run -> run, warm",
		"auth.tokens airflow: images none -> a*", "auth.tokens airflow: meta team=etl -> team=web", "auth.tokens airflow: policy added",
		"webhooks ci: secret changed", "webhooks ci: previous_secret changed", "webhooks ci: registry none -> r.test", "webhooks ci: fields.image i -> j",
		"notify ops: email removed", "notify ops: webhook added", "notify ops: on none -> run_lost", "notify ops: group 1m -> 10s", "notify ops: title none -> {{.Kind}}",
	}
	got := Diff(mustLoad(t, write(t, diffAccess)), mustLoad(t, write(t, changes.Replace(diffAccess))))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func secretPath(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("testdata/secrets/token")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// A certificate that was renewed, or a secret that was exchanged, is a change
// though no word of the configuration is another.
func TestDiffOfRenewedFiles(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, "testdata/full.yaml")
	was := *c
	was.held = nil
	want := []string{
		"server.tls.cert holds something else", "server.tls.key holds something else", "server.tls.client_ca holds something else",
		"auth.tokens airflow: token_file holds something else", "auth.tokens ci: token_file holds something else",
		"webhooks ci: secret_file holds something else", "webhooks ci: previous_secret_file holds something else",
		"webhooks hub: path_secret_file holds something else", "webhooks hub: previous_path_secret_file holds something else",
		"notify data-eng: slack.token_file holds something else", "notify by-hook: slack.webhook_url_file holds something else",
		"notify ops: email.password_file holds something else", "notify ops: email.ca_file holds something else",
		"notify tickets: webhook.secret_file holds something else", "notify tickets: webhook.ca_file holds something else",
		"notify secret-place: webhook.url_file holds something else", "notify secret-place: webhook.secret_file holds something else",
	}
	if diff := cmp.Diff(want, Diff(&was, c)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if again := Diff(c, mustLoad(t, "testdata/full.yaml")); len(again) > 0 {
		t.Errorf("the same files are told as %q", again)
	}
}

func TestDiffOfFiles(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, "testdata/full.yaml")
	was := *c
	was.Registries = append([]Registry{}, c.Registries...)
	was.Registries[1].Password = "what the file held before"
	was.HostsFile = ""
	was.Runner.SecretKey = "the key before"
	was.Hosts = c.Hosts[:len(c.Hosts)-1]
	want := []string{"registries docker.io: password changed", "hosts: added spot-1", "hosts_file none -> " + c.HostsFile, "runner.secret_key_file holds another key"}
	if diff := cmp.Diff(want, Diff(&was, c)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

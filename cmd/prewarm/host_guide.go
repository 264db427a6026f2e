package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/prewarm/prewarm/internal/app"
)

// engineFolder is where the engine's files go on its machine.
const engineFolder = "/etc/docker/tls"

const renewGuide = `Prewarm uses its own at once. The engine goes on with its old one until, on its machine, it gets the new one:

  scp -p %s/*.pem root@%s:%s/
  systemctl restart docker     # ends its containers, unless it has live-restore
`

// The three steps to an engine that is open to Prewarm alone.
const (
	guideFiles = `1. Bring these files to the engine's machine, as root, to %[1]s:

  ca.pem            0644  whom the engine lets in: Prewarm's certificate for this host, and no other
  server-cert.pem   0644  who the engine is
  server-key.pem    0600  its key; nobody needs it here any more once it is there

  ssh root@%[2]s install -d -m 0755 %[1]s
  scp -p %[3]s/*.pem root@%[2]s:%[1]s/
`
	guideEngine = `2. There, write /etc/systemd/system/docker.service.d/prewarm.conf:

%[1]s
  then: systemctl daemon-reload && systemctl restart docker     # ends its containers, unless it has live-restore

  systemctl cat docker shows the command line that this one takes the place of: bring over what else is in it, and
  the path (Debian's own package has /usr/sbin/dockerd). An engine that is started without -H, so without systemd's
  unit, takes the same from /etc/docker/daemon.json:

%[2]s
  Beside -H fd:// the engine refuses to start with hosts in daemon.json; what is said in one place can't be said in
  the other. Let no one but this machine reach port %[3]s, and leave 2375 closed.
`
	guideHost = `3. Write into Prewarm's configuration:

  hosts:
    - name: %s
      endpoint: %s
      tls:
        ca: %s
        cert: %s
        key: %s
`
)

func firstGuide(e app.Enrolled) string {
	return fmt.Sprintf(guideFiles, engineFolder, sshHost(e), e.EngineDir) + "\n" +
		fmt.Sprintf(guideEngine, indented(dropIn(e)), indented(daemonJSON(e)), e.Port) + "\n" +
		fmt.Sprintf(guideHost, e.Name, e.Endpoint, e.CA, e.Cert, e.Key)
}

// dropIn is what systemd starts the engine with. The empty ExecStart takes back
// the unit's own.
func dropIn(e app.Enrolled) string {
	return fmt.Sprintf("[Service]\nExecStart=\nExecStart=/usr/bin/dockerd -H fd:// -H tcp://%[1]s:%[2]s --tlsverify"+
		" --tlscacert %[3]s/ca.pem --tlscert %[3]s/server-cert.pem --tlskey %[3]s/server-key.pem\n", anyAddress(e), e.Port, engineFolder)
}

// daemonJSON says the same where no flag does.
func daemonJSON(e app.Enrolled) string {
	return fmt.Sprintf(`{
  "hosts": ["unix:///var/run/docker.sock", "tcp://%[1]s:%[2]s"],
  "tlsverify": true,
  "tlscacert": "%[3]s/ca.pem",
  "tlscert": "%[3]s/server-cert.pem",
  "tlskey": "%[3]s/server-key.pem"
}
`, anyAddress(e), e.Port, engineFolder)
}

// anyAddress is all of a machine's addresses, of the kind that the endpoint has.
func anyAddress(e app.Enrolled) string {
	if strings.Contains(sshHost(e), "[") {
		return "[::]"
	}
	return "0.0.0.0"
}

// sshHost is the endpoint's host, as scp takes it.
func sshHost(e app.Enrolled) string {
	u, err := url.Parse(e.Endpoint)
	if err != nil {
		return e.Name
	}
	return strings.TrimSuffix(u.Host, ":"+u.Port())
}

func indented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("    " + line)
	}
	return b.String()
}
